import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  isProcessAlive,
  isProcessEnding,
  openProcess,
  parseProcessStat,
  processName,
  processStartTime,
} from './process.ts';
import { closeFd } from './seqpacket.ts';

const fields = 'S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1 1';

test('fields are counted from the last parenthesis, whatever the command is called', () => {
  for (const command of ['node', 'a b', ') S 1 (', '((', 'x) R 9 9 9']) {
    const stat = parseProcessStat(`42 (${command}) ${fields}\n`);
    assert.deepEqual(stat, { state: 'S', parentPid: 7, isEnding: false, startTime: '123456' }, command);
  }
});

test('a process that has begun to end says so', () => {
  assert.ok(parseProcessStat('42 (sh) S 7 1 1 0 -1 4194564 1 2 3 4 5 6 7 8 20 0 1 0 123456 1 1').isEnding);
  assert.ok(!isProcessEnding(process.pid));
});

test('what is no stat file is refused', () => {
  for (const text of ['', '42 node S 1', '42 (node) S 1 2 3'])
    assert.throws(() => parseProcessStat(text), SyntaxError);
});

test('a process is alive until it ends, and its start time tells it from another with its id', async () => {
  const child = spawn('sleep', ['30']);
  const pid = child.pid!;
  assert.ok(isProcessAlive(pid));
  assert.match(processStartTime(pid)!, /^\d+$/);
  assert.equal(processStartTime(pid), processStartTime(pid));
  assert.equal(processName(pid), 'sleep');
  closeFd(openProcess(pid));
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(!isProcessAlive(pid));
  assert.equal(processStartTime(pid), undefined);
  assert.equal(processName(pid), undefined);
  assert.throws(() => openProcess(pid), { code: 'ESRCH', syscall: 'pidfd_open' });
});

test('numbers that are no process ids are no processes', () => {
  for (const pid of [0, -1, 1.5, Number.NaN]) assert.equal(isProcessAlive(pid), false);
});
