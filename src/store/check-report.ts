/** What the offline check of a data directory found. */

export interface CheckedQueue {
  readonly virtualHost: string;
  readonly name: string;
  readonly messages: number;
  readonly bytes: number;
}

export interface CheckReport {
  readonly formatVersion: number;
  readonly queues: readonly CheckedQueue[];
  /** One sentence each; none when the directory is sound. */
  readonly problems: readonly string[];
  readonly fileBytes: number;
  /** What of the file is in use. */
  readonly liveBytes: number;
}
