import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { FilesHelper } from './helper.ts';

const folder = mkdtempSync(join(tmpdir(), 'seaway-helper-'));
const { PATH } = process.env;
beforeEach(() => {
  process.env.PATH = `${folder}:${PATH}`;
});
after(() => {
  process.env.PATH = PATH;
  rmSync(folder, { recursive: true });
});

/** Puts a program in the helper's place. @param script what it does when it has its task */
function start(script: string): FilesHelper {
  const path = join(folder, 'unshare');
  writeFileSync(path, `#!/bin/sh\nread task <&3\n${script}\n`);
  chmodSync(path, 0o755);
  return FilesHelper.start({ root: '/', mounts: [], work: { kind: 'changes' } });
}

test('a helper that is killed in the middle of an answer has failed, and nothing else happens', async () => {
  const helper = start(`printf '{"kind":"done","chan' >&3; kill -9 $$`);
  const failure = { code: 'files-helper-failed', message: /it ended with SIGKILL/ };
  await assert.rejects(helper.done, failure);
  await assert.rejects(helper.begun, failure);
  await helper.end();
});

test('what a helper says before it ends is heard', async () => {
  const helper = start(`echo '{"kind":"begun"}' >&3; echo 'no room' >&2; exit 1`);
  assert.equal(await helper.begun, undefined);
  await assert.rejects(helper.done, { code: 'files-helper-failed', message: /no room$/ });
});
