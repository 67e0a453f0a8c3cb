/**
 * Users in a definitions file: which password they have, if any, and in what form.
 */
import { hashedPassword, type UserRecord } from '../auth/user-store.js';
import type { JsonValue } from '../core/json-value.js';
import { limitRefusals, limitsFromJson, USER_LIMITS } from '../core/limits.js';
import type { PasswordHashing } from '../core/ports/definition-store.js';
import type { Entry } from './definitions-entry.js';

const HASHING_MODULE = /^rabbit_password_hashing_(sha256|sha512|md5)$/;
/** Releases that had one way to hash, and did not say which. */
const MD5_RELEASE = /^3\.[0-5]\./;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** `previous`: the user as they are. `release`: of the RabbitMQ that wrote the file. */
export function userFrom(entry: Entry, previous: UserRecord | undefined, release: string): UserRecord {
  return {
    name: entry.text('name'),
    tags: tagsOf(entry),
    ...passwordOf(entry, release),
    limits: limitsOf(entry) ?? previous?.limits ?? {},
  };
}

function tagsOf(entry: Entry): readonly string[] {
  const { tags, administrator } = entry.fields;
  if (tags !== undefined) return entry.names(tags, 'tags');
  if (administrator === undefined) throw entry.refusal('tags_not_present');
  return administrator === true || administrator === 'true' ? ['administrator'] : [];
}

function passwordOf(entry: Entry, release: string): Pick<UserRecord, 'passwordHash' | 'hashing'> {
  const { password, password_hash: hash } = entry.fields;
  if (password !== undefined && hash !== undefined) {
    throw entry.refusal('both_password_and_password_hash_are_provided');
  }
  if (password !== undefined) return hashedPassword(entry.text('password'));
  const encoded = entry.text('password_hash', '');
  if (encoded === '') return { passwordHash: undefined, hashing: 'sha256' };
  if (!BASE64.test(encoded)) throw entry.refusal('"password_hash" is not base64');
  return { passwordHash: Uint8Array.from(Buffer.from(encoded, 'base64')), hashing: hashingOf(entry, release) };
}

function hashingOf(entry: Entry, release: string): PasswordHashing {
  const { hashing_algorithm: algorithm } = entry.fields;
  if (algorithm === undefined) return MD5_RELEASE.test(release) ? 'md5' : 'sha256';
  const [, hashing] = HASHING_MODULE.exec(String(algorithm)) ?? [];
  if (hashing === 'sha256' || hashing === 'sha512' || hashing === 'md5') return hashing;
  throw entry.refusal(`unknown hashing algorithm '${algorithm}'`);
}

function limitsOf(entry: Entry): UserRecord['limits'] | undefined {
  const limits: JsonValue | undefined = entry.fields['limits'];
  if (limits === undefined) return undefined;
  const refusals = limitRefusals(USER_LIMITS, 'user-limits', limits);
  if (refusals.length > 0) throw entry.refusal(refusals.join('; '));
  return limitsFromJson(USER_LIMITS, limits);
}
