import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readVersion } from './version.ts';

const launcher = fileURLToPath(new URL('../../../bin/seaway', import.meta.url));

/** Runs the program as users do, with nothing listening unless the test says otherwise. */
function seaway(argv: readonly string[], program = launcher, env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(program, argv, {
    encoding: 'utf8',
    env: { ...process.env, SEAWAY_HOST: 'unix:///nonexistent/seaway.sock', ...env },
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

test('the version is printed without any noise', () => {
  assert.deepEqual(seaway(['--version']), { status: 0, stdout: `seaway ${readVersion()}\n`, stderr: '' });
});

test('the launcher finds its package through symbolic links', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'seaway-launcher-'));
  t.after(() => rmSync(directory, { recursive: true }));
  symlinkSync(launcher, join(directory, 'first'));
  symlinkSync('first', join(directory, 'second'));
  assert.equal(seaway(['--version'], join(directory, 'second')).stdout, `seaway ${readVersion()}\n`);
});

test('without a command, help lists them all', () => {
  const { status, stdout } = seaway([]);
  assert.equal(status, 0);
  assert.match(stdout, /^Usage: seaway \[OPTIONS\] COMMAND/);
  for (const name of ['run', 'ps', 'network ls', 'daemon'])
    assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
  assert.equal(seaway(['--help']).stdout, stdout);
});

test('a group of commands lists its own', () => {
  assert.match(
    seaway(['network']).stdout,
    /^Usage: seaway network COMMAND\n\nCommands:\n {2}network create /,
  );
});

test('an unknown command or option is one line and a hint', () => {
  assert.deepEqual(seaway(['foo']), {
    status: 1,
    stdout: '',
    stderr: "seaway: unknown command: seaway foo\nRun 'seaway --help' for more information\n",
  });
  assert.deepEqual(seaway(['network', 'foo']), {
    status: 1,
    stdout: '',
    stderr: "seaway: unknown command: seaway network foo\nRun 'seaway network --help' for more information\n",
  });
  assert.deepEqual(seaway(['--foo', 'ps']), {
    status: 125,
    stdout: '',
    stderr: "seaway: unknown option '--foo'\nRun 'seaway --help' for more information\n",
  });
});

test('no daemon is one line, with the exit code of the command', () => {
  const stderr = 'seaway: cannot connect to the daemon at unix:///nonexistent/seaway.sock: is it running?\n';
  assert.deepEqual(seaway(['ps']), { status: 1, stdout: '', stderr });
  assert.deepEqual(seaway(['run', 'busybox']), { status: 125, stdout: '', stderr });
});

test('--host wins over the environment, and a bad one is refused', () => {
  assert.match(
    seaway(['-H', 'unix:///elsewhere.sock', 'ps']).stderr,
    /at unix:\/\/\/elsewhere\.sock: is it running/,
  );
  assert.deepEqual(seaway(['-H', 'junk', 'ps']), {
    status: 1,
    stdout: '',
    stderr: 'seaway: invalid host "junk": expected unix:///PATH or tcp://ADDRESS:PORT\n',
  });
});

test('a reader that goes away ends the program without a word, as SIGPIPE would', () => {
  const script = '{ sleep 0.2; "$0" --help; echo "exit $?" >&2; } | true';
  assert.equal(seaway(['-c', script, launcher], '/bin/sh').stderr, 'exit 141\n');
});
