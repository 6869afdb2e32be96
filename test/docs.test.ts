/**
 * What users read is true.
 */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { daemonPage } from '../scripts/daemon-page.ts';

const repository = fileURLToPath(new URL('../', import.meta.url));
const pages = globSync(['*.md', 'docs/*.md'], { cwd: repository });

test('the page of the daemon lists the options that the daemon has', () => {
  assert.equal(readFileSync(join(repository, 'docs/daemon.md'), 'utf8'), daemonPage());
});

test('links between pages lead somewhere', () => {
  assert.ok(pages.length >= 4);
  for (const page of pages) {
    const text = readFileSync(join(repository, page), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      assert.ok(existsSync(join(repository, dirname(page), target)), `${page} refers to ${target}`);
    }
  }
});

test('the npm scripts and files that pages speak of exist', () => {
  const { scripts } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
    scripts: object;
  };
  for (const page of pages) {
    const text = readFileSync(join(repository, page), 'utf8');
    for (const [, script = ''] of text.matchAll(/npm run (\w+)/g))
      assert.ok(script in scripts, `${page}: ${script}`);
    for (const [, file = ''] of text.matchAll(/\b(test\/[\w/-]+\.ts)/g)) {
      assert.ok(existsSync(join(repository, file)), `${page}: ${file}`);
    }
  }
});
