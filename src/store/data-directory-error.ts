/**
 * The data directory cannot be used, and the user can mend it: the message is one line, without a stack, and ends the
 * start with exit code 1. The command knows it by its name.
 */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'not permitted',
  EDQUOT: 'the quota is used up',
  EEXIST: 'not a folder',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'not a folder',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
};

/** The error of a system call on it, in the user's words; what is none of the known ones comes back as it is. */
export function dataDirectoryError(directory: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = REASONS[code];
  if (reason === undefined) return error;
  return new DataDirectoryError(`data directory '${directory}' cannot be used: ${reason} (${code})`, { cause: error });
}
