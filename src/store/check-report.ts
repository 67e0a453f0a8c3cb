/** What the offline check of a data directory found. */

/** A durable queue, or a durable exchange that keeps messages. */
export interface CheckedLog {
  readonly virtualHost: string;
  readonly name: string;
  readonly messages: number;
  readonly bytes: number;
}

export interface CheckReport {
  readonly formatVersion: number;
  readonly queues: readonly CheckedLog[];
  readonly exchanges: readonly CheckedLog[];
  /** One sentence each; none when the directory is sound. */
  readonly problems: readonly string[];
  readonly fileBytes: number;
  /** What of the file is in use. */
  readonly liveBytes: number;
}
