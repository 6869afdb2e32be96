/** Many execs and attached clients in a row, of all kinds, and what the daemon holds before and after them. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { childrenOf } from './command.ts';
import { processes } from './inventory.ts';
import type { Lab } from './lab.ts';
import type { RawApi } from './raw-api.ts';
import { Wire } from './wire.ts';

/** What there is besides memory, in a form that can be compared. */
export interface Holdings {
  /** Descriptors of the daemon, by what they are. */
  readonly descriptors: readonly string[];
  /** Living processes of the lab, without their numbers. */
  readonly processes: readonly string[];
  /** Ended children of the daemon that nobody has waited for. */
  readonly ended: number;
  /** Files in the daemon's folder for what is void after a reboot, and conmon's in /tmp. */
  readonly files: readonly string[];
}

export function holdings(lab: Lab): Holdings {
  const pid = lab.engine.pid;
  return {
    descriptors: listed(`/proc/${pid}/fd`, (name) => linkKind(`/proc/${pid}/fd/${name}`)),
    processes: processes(lab)
      .map(({ command }) => command.replace(/[0-9a-f]{64}/g, 'ID'))
      .filter((command) => !/has ended/.test(command))
      .sort(),
    ended: childrenOf(pid).filter((child) => / Z /.test(textOf(`/proc/${child}/stat`))).length,
    files: [
      ...listed(lab.pathInside(`${lab.engine.execRoot}/execs`)),
      ...listed(lab.pathInside('/tmp')).filter((name) => name.startsWith('conmon')),
    ],
  };
}

/** Resident memory of the daemon, in bytes. */
export function residentBytes(lab: Lab): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(textOf(`/proc/${lab.engine.pid}/status`))?.[1]) * 1024;
}

function listed(folder: string, name = (entry: string) => entry): string[] {
  return readdirSync(folder).map(name).sort();
}

/** `socket`, `pipe`, `anon_inode:[eventpoll]` or a path. */
function linkKind(path: string): string {
  try {
    return readlinkSync(path).replace(/:\[\d+\]$/, '');
  } catch {
    return 'closed';
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** Keeps `parallel` of the calls under way until all are done. */
async function inParallel(count: number, parallel: number, call: (index: number) => Promise<void>) {
  let next = 0;
  const worker = async () => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

const streams = { AttachStdin: true, AttachStdout: true, AttachStderr: true };

/** What one exec does, by turns. */
const kinds: readonly {
  readonly body: object;
  readonly tty?: boolean;
  readonly leaves?: 'at once' | 'when it sees output';
  readonly input?: string;
}[] = [
  { body: { Cmd: ['true'] } },
  { body: { Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 3'] } },
  { body: { Cmd: ['cat'] }, input: 'typed\n' },
  { body: { Cmd: ['true'], Tty: true }, tty: true },
  { body: { Cmd: ['nope'] } },
  { body: { Cmd: ['sh', '-c', 'echo there; sleep 0.2'] }, leaves: 'when it sees output' },
  { body: { Cmd: ['true'], WorkingDir: '/nope' } },
  { body: { Cmd: ['sh', '-c', 'echo there; sleep 0.1'], Tty: true }, tty: true, leaves: 'at once' },
];

/** @param container one that runs and reads its input */
export async function runExecs(lab: Lab, api: RawApi, container: string, count: number): Promise<void> {
  await inParallel(count, 4, async (index) => {
    const { body, tty = false, leaves, input } = kinds[index % kinds.length]!;
    const created = await api.ask<{ Id: string }>('POST', `/containers/${container}/exec`, {
      ...streams,
      ...body,
    });
    const wire = new Wire(lab.engine.socket);
    wire.send('POST', `/v1.41/exec/${created.Id}/start`, { upgrade: true, body: { Tty: tty } });
    if (leaves === 'when it sees output') await wire.sees('there');
    if (leaves) wire.socket.destroy();
    else if (input) wire.socket.end(input);
    await wire.ended;
  });
}

export async function attachClients(lab: Lab, container: string, count: number): Promise<void> {
  await inParallel(count, 4, async (index) => {
    const wire = new Wire(lab.engine.socket);
    const path = `/v1.41/containers/${container}/attach?stream=1&stdin=1&stdout=1&stderr=1`;
    wire.send('POST', path, { upgrade: index % 3 > 0 });
    if (index % 4 > 0) {
      const word = `word ${index}`;
      wire.socket.write(`${word}\n`);
      if (index % 3 > 0) await wire.sees(word);
    }
    wire.socket.destroy();
    await wire.ended;
  });
}
