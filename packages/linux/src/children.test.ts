import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { abandonChild, adoptOrphans, awaitChild, type ExitStatus, openPipe, spawnChild } from './children.ts';
import { isErrno } from './errno.ts';
import { isProcessAlive } from './process.ts';

interface Answer {
  readonly output: string;
  readonly status: ExitStatus | undefined;
}

/** Runs a shell's command line with a pipe as its output. */
async function sh(script: string, options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}): Promise<Answer> {
  const { reading, writing } = openPipe();
  const nothing = openSync('/dev/null', 'r');
  const { ended } = spawnChild({
    path: '/bin/sh',
    args: ['sh', '-c', script],
    env: options.env ?? { PATH: process.env.PATH },
    ...(options.cwd ? { cwd: options.cwd } : {}),
    descriptors: [nothing, writing, writing],
  });
  closeSync(writing);
  closeSync(nothing);
  const output = await text(new Socket({ fd: reading, readable: true, writable: false }));
  return { output, status: await ended };
}

test('a program gets its arguments, environment, folder and descriptors, and none of ours', async () => {
  const ours = openSync('/dev/null', 'r');
  const shown = await sh(`pwd; echo "$A|$HOME"; [ -e /proc/self/fd/${ours} ] || echo none; exit 7`, {
    env: { A: 'a b', PATH: process.env.PATH, HOME: undefined },
    cwd: '/usr',
  });
  closeSync(ours);
  assert.equal(shown.output, '/usr\na b|\nnone\n');
  assert.deepEqual(shown.status, { code: 7 });
});

test('it ignores and blocks no signal, whatever Node does', async () => {
  const { output } = await sh('grep -E "Sig(Blk|Ign)" /proc/self/status');
  // Those above 31 are the C library's own affair.
  assert.deepEqual(
    output.match(/[0-9a-f]{8}$/gm)?.map((mask) => Number.parseInt(mask, 16) & 0x7fffffff),
    [0, 0],
  );
});

test('a signal that ended it is told', async () => {
  assert.deepEqual((await sh('kill -9 $$')).status, { signal: 9 });
});

test('what cannot be run is an error', async () => {
  assert.throws(
    () => spawnChild({ path: '/nope', args: ['nope'], env: {}, descriptors: [] }),
    (error) => isErrno(error, 'ENOENT'),
  );
  assert.throws(
    () => spawnChild({ path: '/etc/passwd', args: ['x'], env: {}, descriptors: [] }),
    (error) => isErrno(error, 'EACCES'),
  );
});

test('descriptors may be numbers that others are to get', async () => {
  const { reading, writing } = openPipe();
  const { ended } = spawnChild({
    path: '/bin/sh',
    args: ['sh', '-c', 'echo out >&1; echo err >&2'],
    env: { PATH: process.env.PATH },
    descriptors: [2, writing, 1].map((fd) => (fd === 1 ? writing : fd)),
  });
  closeSync(writing);
  assert.equal(await text(new Socket({ fd: reading, readable: true, writable: false })), 'out\nerr\n');
  assert.deepEqual(await ended, { code: 0 });
});

test('many at once each get their own code, and leave no descriptor', async () => {
  const before = readdirSync('/proc/self/fd').length;
  const codes = Array.from({ length: 40 }, (_, index) => index);
  const answers = await Promise.all(codes.map((code) => sh(`exit ${code}`)));
  assert.deepEqual(
    answers.map(({ status }) => status),
    codes.map((code) => ({ code })),
  );
  assert.ok(readdirSync('/proc/self/fd').length <= before);
});

test('a process that is no child of ours is not waited for', async () => {
  assert.equal(await awaitChild(1), undefined);
});

test('orphans are adopted: waited for by their pid, or cleared away, and child_process keeps its own', async () => {
  adoptOrphans();
  const living = Number((await sh('(sleep 0.2; exit 5) > /dev/null & echo $!')).output);
  assert.deepEqual(await awaitChild(living), { code: 5 });
  const early = Number((await sh('(exit 6) > /dev/null & echo $!')).output);
  await sleep(200);
  assert.ok(!isZombie(early));
  assert.deepEqual(await awaitChild(early), { code: 6 });
  assert.equal(await awaitChild(early), undefined);

  const stray = Number((await sh('(exit 3) > /dev/null & echo $!')).output);
  const children = Array.from({ length: 20 }, (_, index) => spawn('sh', ['-c', `sleep 0.${index}; exit 4`]));
  const exits = await Promise.all(children.map((child) => once(child, 'exit')));
  assert.deepEqual(new Set(exits.map(([code]) => code)), new Set([4]));
  for (const deadline = performance.now() + 10_000; isZombie(stray); await sleep(20)) {
    assert.ok(performance.now() < deadline, 'the stray is still there');
  }
});

test('an abandoned child goes on, and is cleared away at its end', async () => {
  const { pid, ended } = spawnChild({
    path: '/bin/sleep',
    args: ['sleep', '0.5'],
    env: {},
    descriptors: [0, 1, 2],
  });
  abandonChild(pid);
  assert.equal(await ended, undefined);
  assert.ok(isProcessAlive(pid));
  for (const deadline = performance.now() + 10_000; isZombie(pid) || isProcessAlive(pid); await sleep(20)) {
    assert.ok(performance.now() < deadline, 'the child is still there');
  }
});

function isZombie(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
