/** The subcommands on a data directory, without a broker: check and backup. Both resolve to the exit code. */
import type { CheckedLog, CheckReport } from '../src/store/check-report.js';

export interface CheckRequest {
  readonly directory: string;
  readonly compact: boolean;
  readonly json: boolean;
}

/** Imported late: a broker in memory needs none of it. */
export async function check({ directory, compact, json }: CheckRequest, writer: string): Promise<[string, 0 | 1]> {
  const { checkDirectory } = await import('../src/store/lmdb/check.js');
  const report = await checkDirectory(directory, { compact, writer });
  const text = json ? `${JSON.stringify(report)}\n` : reportText(report);
  return [text, report.problems.length === 0 ? 0 : 1];
}

export async function backup(directory: string, target: string, writer: string): Promise<void> {
  const { backupDirectory } = await import('../src/store/lmdb/backup.js');
  await backupDirectory(directory, target, writer);
}

function reportText({ formatVersion, queues, exchanges, problems, fileBytes, liveBytes }: CheckReport): string {
  const messages = queues.reduce((sum, queue) => sum + queue.messages, 0);
  const lines = [
    ...table(['virtual host', 'queue', 'messages', 'bytes'], queues.map(row)),
    ...(exchanges.length === 0
      ? []
      : ['', ...table(['virtual host', 'exchange', 'messages', 'bytes'], exchanges.map(row))]),
    '',
    `${queues.length} durable queues, ${messages} messages; ${liveBytes} bytes live in a file of ${fileBytes}`,
    `format version ${formatVersion}`,
    ...(problems.length === 0 ? ['no problems found'] : problems.map((problem) => `PROBLEM: ${printable(problem)}`)),
  ];
  return `${lines.join('\n')}\n`;
}

function row({ virtualHost, name, messages, bytes }: CheckedLog): string[] {
  return [printable(virtualHost), printable(name), String(messages), String(bytes)];
}

/** Words to the left, the last two columns, which are numbers, to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
}

function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, '?');
}
