/** The bytes do not decode. What that means to the peer is decided by whoever was reading. */
export class MalformedError extends Error {
  override readonly name = 'MalformedError';
}
