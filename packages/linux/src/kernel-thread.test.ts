import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { LinuxError } from './errno.ts';
import { KernelThread } from './kernel-thread.ts';
import { NetlinkError } from './netlink/socket.ts';
import { NftablesError } from './nftables-error.ts';

type Operations = typeof import('./fixtures/thread-operations.ts');
const module = new URL('./fixtures/thread-operations.ts', import.meta.url);

const start = () => KernelThread.start<Operations>(module, { name: 'test' });

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail('it should have been rejected');
}

test('a call gives its result, and calls run in the order they were made', async () => {
  await using thread = start();
  assert.equal(await thread.run('add', 1, 2), 3);
  const slow = thread.run('addAfter', 40, 'first');
  const quick = thread.run('addAfter', 0, 'second');
  assert.deepEqual(await quick, ['first', 'second']);
  assert.deepEqual(await slow, ['first']);
});

test('our errors arrive as what they were, with all their fields', async () => {
  await using thread = start();
  const linux = await rejection(thread.run('openNothing'));
  assert.ok(linux instanceof LinuxError && !(linux instanceof NetlinkError));
  assert.deepEqual([linux.name, linux.errno, linux.code, linux.syscall], ['LinuxError', 2, 'ENOENT', 'open']);
  assert.match(linux.message, /^open \/nonexistent\/namespace: ENOENT/);

  const netlink = await rejection(thread.run('deleteNothing'));
  assert.ok(netlink instanceof NetlinkError);
  assert.deepEqual([netlink.request, netlink.index], ['delete nonexistent', 0]);
  assert.match(netlink.stack ?? '', /thread-operations/);

  const nftables = await rejection(thread.run('refuseRules'));
  assert.ok(nftables instanceof NftablesError);
  assert.deepEqual([nftables.output, nftables.code], ['Error: File exists\n', 'EEXIST']);
});

test('other errors keep their class where the language has it, their message and their causes', async () => {
  await using thread = start();
  const outer = await rejection(thread.run('failWithCause'));
  assert.ok(outer instanceof TypeError && outer.cause instanceof Error && 'code' in outer.cause);
  assert.deepEqual([outer.message, outer.cause.message, outer.cause.code], ['outer', 'inner', 'EINNER']);
  const both = await rejection(thread.run('failTwice'));
  assert.ok(both instanceof AggregateError && both.errors[0] instanceof RangeError);
  assert.equal(both.errors[1].message, 'two');
  const text = await rejection(thread.run('throwText'));
  assert.equal((text as Error).message, 'only text');
});

test('a function that the module lacks, and a module that is not there, fail the call', async () => {
  await using thread = start();
  const missing = await rejection(thread.run('nope' as 'crash'));
  assert.match(String(missing), /TypeError: the module exports no function nope/);
  assert.equal(await thread.run('add', 1, 1), 2);
  await using empty = KernelThread.start<Operations>(new URL('./fixtures/nope.ts', import.meta.url));
  assert.match(String(await rejection(empty.run('add', 1, 1))), /Cannot find module/);
});

test('arguments that cannot be cloned fail their call only', async () => {
  await using thread = start();
  await rejection(thread.run('add', (() => 1) as unknown as number, 1));
  assert.equal(await thread.run('add', 20, 3), 23);
});

test('close lets the calls made so far end and rejects later ones', async () => {
  const thread = start();
  const last = thread.run('addAfter', 20, 'last');
  const closed = thread.close();
  assert.match(String(await rejection(thread.run('add', 1, 1))), /thread test is closed/);
  assert.deepEqual(await last, ['last']);
  await closed;
  await thread.close();
});

test('a thread that crashes rejects what waits and what comes later', async () => {
  const thread = start();
  const crashed = rejection(thread.run('crash'));
  const waiting = rejection(thread.run('add', 1, 1));
  assert.match(String(await crashed), /thread test ended with code 3/);
  assert.match(String(await waiting), /thread test ended with code 3/);
  assert.match(String(await rejection(thread.run('add', 1, 1))), /thread test ended with code 3/);
  await thread.close();
});

test('an idle thread does not keep the process alive, one with work does', async () => {
  const script = `
    import { KernelThread } from ${JSON.stringify(new URL('./kernel-thread.ts', import.meta.url).href)};
    const thread = KernelThread.start(new URL(${JSON.stringify(module.href)}));
    thread.run('addAfter', 50, 'done').then((words) => process.stdout.write(words.join()));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 20_000,
  });
  assert.equal(stdout, 'done');
});
