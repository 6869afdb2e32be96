import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPsArguments, parsePsOutput, processList } from './top.ts';

const own = new Set([7, 8]);

test("rows of the container's processes are chosen, with what overhangs in the last field", () => {
  const output = 'UID  PID CMD\nroot 1 init\nroot 7 sleep 60  now\nroot 8 [x]\n\n';
  assert.deepEqual(parsePsOutput(output, own), {
    titles: ['UID', 'PID', 'CMD'],
    processes: [
      ['root', '7', 'sleep 60 now'],
      ['root', '8', '[x]'],
    ],
  });
});

test('threads come with the process above them', () => {
  const output = 'PID TTY\n1 ?\n- a\n7 ?\n- b\n- c\n9 ?\n- d\n';
  assert.deepEqual(parsePsOutput(output, own).processes, [
    ['7', '?'],
    ['-', 'b'],
    ['-', 'c'],
  ]);
});

test('a list without process ids is refused', () => {
  assert.throws(() => parsePsOutput('CMD\nx\n', own), { message: "Couldn't find PID field in ps output" });
  assert.throws(() => parsePsOutput('PID\nx\n', own), { message: "Unexpected pid 'x'" });
  assert.throws(() => parsePsOutput('', own), { kind: 'internal' });
});

test('no other column may call itself PID', () => {
  for (const fine of ['', '-ef', 'aux', '-o pid,ppid', '-o pid=PID', '-o pid= PID']) checkPsArguments(fine);
  for (const bad of ['-e -o ppid=PID', '-e -o ppid= PID', '-ef -o uid=PID1']) {
    assert.throws(() => checkPsArguments(bad), {
      kind: 'invalid',
      message: /^specifying ".*=PID1?" is not allowed$/,
    });
  }
});

test('ps itself is asked, with its own words where it refuses', async () => {
  const { titles, processes } = await processList([process.pid], '');
  assert.equal(processes[0]?.[titles.indexOf('PID')], String(process.pid));
  assert.equal((await processList([process.pid], '-e f')).processes.length, 1, 'does not go with a choice');
  await assert.rejects(processList([process.pid], '--no-such-option'), {
    kind: 'internal',
    code: 'ps-failed',
  });
});
