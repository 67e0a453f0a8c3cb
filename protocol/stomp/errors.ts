/** The bytes are no STOMP, or more of it than is taken. Nothing is said to the peer then: the connection is closed. */
export class StompSyntaxError extends Error {
  override readonly name = 'StompSyntaxError';
}
