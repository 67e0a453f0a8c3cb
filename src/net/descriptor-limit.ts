/**
 * File descriptors: how many this process may have, and which one a socket took. Both unknown on some systems, where
 * the kernel alone decides who gets in.
 */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** Infinity where the system does not tell. */
export function descriptorLimit(): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** The kernel gives the lowest free one, so a high number means that as many are open. -1 where it is not known. */
export function descriptorOf(socket: Socket): number {
  // A private field of Node, checked below.
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: unknown } | null };
  return typeof handle?.fd === 'number' ? handle.fd : -1;
}
