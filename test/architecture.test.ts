/**
 * The arrows between the packages point one way: the linter refuses every import that runs back up.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const configuration = fileURLToPath(new URL('../biome.json', import.meta.url));

/** Which of the imports the linter refuses, were each to stand in its file. */
function refused(imports: readonly (readonly [file: string, specifier: string])[]): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'seaway-lint-'));
  try {
    copyFileSync(configuration, join(folder, 'biome.json'));
    const files = imports.map(([file, specifier], index) => {
      // A rule for one file needs that file's name; the others get a number to be told apart by.
      const path = join(folder, file.replace('/x.ts', `/x${index}.ts`));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, `import * as all from '${specifier}';\nexport const names = Object.keys(all);\n`);
      return path;
    });
    const lint = ['lint', '--vcs-enabled=false'];
    return imports.flatMap(([, specifier], index) => {
      const { stdout, stderr } = spawnSync('biome', [...lint, files[index]!], {
        cwd: folder,
        encoding: 'utf8',
      });
      assert.match(stdout + stderr, /Checked 1 file/, `${specifier}: ${stderr}`);
      return (stdout + stderr).includes('noRestrictedImports') ? [index] : [];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const forbidden: [file: string, specifier: string][] = [
  ['packages/linux/src/x.ts', '@seaway/engine'],
  ['packages/linux/src/x.ts', '../../engine/src/index.ts'],
  ['packages/engine/src/x.ts', '@seaway/api'],
  ['packages/engine/src/x.ts', 'fastify'],
  ['packages/engine/src/x.ts', 'koffi'],
  ['packages/engine/src/ipam/x.ts', '@seaway/linux'],
  ['packages/engine/src/model/x.ts', 'node:fs'],
  ['packages/engine/src/runtime/spec/x.ts', 'node:child_process'],
  ['packages/engine/src/firewall/model.ts', '@seaway/linux'],
  ['packages/engine/src/keeper/answer.ts', 'node:net'],
  ['packages/engine/src/keeper/names.ts', '@seaway/linux'],
  ['packages/api/src/x.ts', '@seaway/linux'],
  ['packages/api/src/x.ts', 'node:sqlite'],
  ['packages/cli/src/commands/x.ts', '@seaway/engine'],
  ['packages/cli/src/client/x.ts', '@seaway/linux'],
];

const allowed: [file: string, specifier: string][] = [
  ['packages/engine/src/x.ts', '@seaway/linux'],
  ['packages/engine/src/firewall/model.ts', '@seaway/linux/nftables-json'],
  ['packages/api/src/x.ts', '@seaway/engine'],
  ['packages/cli/src/daemon/x.ts', '@seaway/engine'],
];

test('imports that run against the arrows are refused', () => {
  assert.deepEqual(
    refused(forbidden),
    forbidden.map((_, index) => index),
  );
});

test('imports along the arrows are not', () => {
  assert.deepEqual(refused(allowed), []);
});
