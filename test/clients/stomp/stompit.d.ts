// stompit has no type declarations. These cover what its scenarios use.

declare module 'stompit' {
  import type { Readable, Writable } from 'node:stream';

  export type Headers = Record<string, string | number>;

  export interface IncomingMessage extends Readable {
    readonly headers: Record<string, string>;
    readString(encoding: BufferEncoding, done: (error: Error | null, text: string) => void): void;
  }

  export interface Subscription {
    unsubscribe(headers?: Headers): void;
  }

  export interface Transaction {
    readonly id: string;
    send(headers: Headers): Writable;
    commit(headers?: Headers): void;
    abort(headers?: Headers): void;
  }

  export interface Client {
    readonly headers: Record<string, string>;
    on(event: 'error', listener: (error: Error) => void): void;
    sendFrame(command: string, headers: Headers, options?: { onReceipt?: () => void }): Writable;
    send(headers: Headers, options?: { onReceipt?: () => void }): Writable;
    subscribe(headers: Headers, onMessage: (error: Error | null, message: IncomingMessage) => void): Subscription;
    begin(headers?: Headers): Transaction;
    ack(message: IncomingMessage, headers?: Headers): void;
    nack(message: IncomingMessage, headers?: Headers): void;
    disconnect(done?: (error: Error | null) => void): void;
    destroy(error?: Error): void;
  }

  export function connect(
    options: { host: string; port: number; connectHeaders: Headers },
    connected: (error: Error | null, client: Client) => void,
  ): void;
}
