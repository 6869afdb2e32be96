/** The processes of a container as ps(1) of the host shows them. */
import { execFile } from 'node:child_process';
import { EngineError, internal, invalid } from '../base/errors.ts';
import { findProgram } from '../runtime/find-program.ts';

export interface ProcessList {
  readonly titles: readonly string[];
  /** One row for each process, with as many fields as there are titles. */
  readonly processes: readonly (readonly string[])[];
}

/** A machine with very many processes has long lists. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const DEFAULT_ARGUMENTS = '-ef';

/**
 * @param pids of the container's processes @param psArguments such as `aux`; empty: `-ef`
 * @throws invalid for arguments that hide the process ids, internal with what ps complains about
 */
export async function processList(pids: readonly number[], psArguments: string): Promise<ProcessList> {
  const given = psArguments || DEFAULT_ARGUMENTS;
  checkPsArguments(given);
  const words = given.split(' ').filter(Boolean);
  // Some options do not go with a choice of processes: then all are listed, and chosen from.
  const output = await runPs([...words, `-q${pids.join(',')}`]).catch(() => runPs(words));
  return parsePsOutput(output, new Set(pids));
}

/** @throws invalid for another column that is called PID: nothing would tell it from the real one */
export function checkPsArguments(text: string): void {
  for (const [, name, title] of text.matchAll(/\s+(\S*)=\s*(PID\S*)/g)) {
    if (name === 'pid') continue;
    throw invalid('invalid-ps-arguments', `specifying "${name}=${title}" is not allowed`, { text });
  }
}

/** @throws internal where the list has no column of process ids */
export function parsePsOutput(output: string, pids: ReadonlySet<number>): ProcessList {
  const [heading = '', ...lines] = output.split('\n');
  const titles = fields(heading);
  const column = titles.indexOf('PID');
  if (column < 0) throw internal('ps-failed', "Couldn't find PID field in ps output");
  const processes: string[][] = [];
  let isOwn = false;
  for (const line of lines) {
    if (line === '') continue;
    const row = fields(line);
    const pid = row[column] ?? '';
    // The threads of the process above.
    if (pid !== '-') {
      if (!/^\d+$/.test(pid)) throw internal('ps-failed', `Unexpected pid '${pid}'`);
      isOwn = pids.has(Number(pid));
    }
    if (!isOwn) continue;
    const last = titles.length - 1;
    processes.push([...row.slice(0, last), row.slice(last).join(' ')]);
  }
  return { titles, processes };
}

function fields(line: string): string[] {
  return line.split(/[ \t\v\f\r]+/).filter(Boolean);
}

function runPs(words: readonly string[]): Promise<string> {
  const program = findProgram('ps');
  if (!program) {
    throw new EngineError(
      'unavailable',
      'the program ps is missing: install procps (Debian package procps)',
      {
        code: 'program-missing',
        facts: { name: 'ps' },
      },
    );
  }
  return new Promise((resolve, reject) => {
    execFile(program, words, { maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
      if (!error) resolve(stdout);
      else reject(internal('ps-failed', stderr.split('\n', 1)[0] || `ps: ${error.message}`, {}, error));
    });
  });
}
