import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { processName, processStartTime } from '@seaway/linux';
import type { ContainerRecord } from '../model/container.ts';
import { signalContainer } from './container-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'seaway-process-'));
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** A shell by runc's name for what becomes the program, which it does a little later; SIGTERM ends it with code 2. */
async function startLikeRunc(): Promise<{
  readonly child: ChildProcess;
  readonly container: ContainerRecord;
}> {
  const shell = join(folder, 'runc:[2:INIT]');
  symlinkSync('/bin/sh', shell);
  const child = spawn(shell, ['-c', 'trap "exit 2" TERM; echo up; sleep 0.3; exec sleep 60']);
  children.push(child);
  await once(child.stdout!, 'data');
  const pid = child.pid!;
  assert.equal(processName(pid), 'runc:[2:INIT]');
  const state = { pid, processStartTime: processStartTime(pid) };
  return { child, container: { state } as ContainerRecord };
}

test("a signal right behind the start is for the container's program, not for runc", async () => {
  const { child, container } = await startLikeRunc();
  await signalContainer(container, 15);
  const [code, signal] = await once(child, 'exit');
  assert.deepEqual({ code, signal }, { code: null, signal: 'SIGTERM' });
  await signalContainer(container, 15); // nobody is there any more, which is no error
});

test('a pid that is another process by now gets no signal', async () => {
  const child = spawn('sleep', ['60']);
  children.push(child);
  await signalContainer({ state: { pid: child.pid, processStartTime: '1' } } as ContainerRecord, 9);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGTERM']);
});
