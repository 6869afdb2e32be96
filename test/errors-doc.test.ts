/**
 * The pages on errors and on the API say what the sources do: no code or option is missing from them, and none is
 * there that no longer exists.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { refusedOptions } from '../packages/api/src/docker/refused-options.ts';
import { statusOfKind } from '../packages/api/src/http/errors.ts';
import { MAX_API_VERSION, MIN_API_VERSION } from '../packages/api/src/http/version.ts';

const repository = fileURLToPath(new URL('../', import.meta.url));
const read = (path: string) => readFileSync(join(repository, path), 'utf8');

/** The rows of the tables below each second-level heading: the cells, without what quotes code. */
function tablesOf(page: string): Map<string, string[][]> {
  const tables = new Map<string, string[][]>();
  for (const section of page.split(/^## /m).slice(1)) {
    const [heading = ''] = section.split('\n', 1);
    const rows = [...section.matchAll(/^\| `(.*) \|$/gm)].map(([, row = '']) =>
      `\`${row}`.split(/(?<!\\) \|(?: |$)/).map((cell) => cell.replaceAll('`', '')),
    );
    tables.set(heading, rows);
  }
  return tables;
}

describe('docs/errors.md', () => {
  /** `kind code`, and `* code` where the kind is decided at run time. */
  const thrown = new Set<string>();
  const kinds = Object.keys(statusOfKind).join('|');
  const calls = new RegExp(`\\b(${kinds})\\(\\s*'([a-z0-9-]+)'`, 'g');
  for (const path of globSync('packages/{engine,api}/src/**/*.ts', { cwd: repository })) {
    if (path.endsWith('.test.ts') || path.includes('/fixtures/')) continue;
    const source = read(path).replaceAll(/\/\*\*[\s\S]*?\*\//g, '');
    for (const [, kind, code] of source.matchAll(calls)) thrown.add(`${kind} ${code}`);
    for (const [, code] of source.matchAll(/\bcode: '([a-z0-9-]+)'/g)) thrown.add(`* ${code}`);
  }
  const described = [...tablesOf(read('docs/errors.md'))].flatMap(([heading, rows]) =>
    rows.map(([code = '']) => `${heading.split(':', 1)[0]} ${code}`),
  );
  const isAnyKind = (entry: string) => thrown.has(entry.replace(/^\w+/, '*'));

  test('has a section for each kind, with its status', () => {
    assert.deepEqual(
      [...tablesOf(read('docs/errors.md')).keys()].sort(),
      Object.entries(statusOfKind)
        .map(([kind, status]) => `${kind}: ${status}`)
        .sort(),
    );
  });

  test('describes every code that is thrown, under its kind', () => {
    assert.ok(thrown.size > 80, 'the codes are found in the sources');
    const missing = [...thrown].filter((entry) =>
      entry.startsWith('* ')
        ? !described.some((row) => row.endsWith(entry.slice(1)))
        : !described.includes(entry),
    );
    assert.deepEqual(missing, []);
  });

  test('describes nothing else, and nothing twice', () => {
    assert.deepEqual(
      described.filter((entry) => !thrown.has(entry) && !isAnyKind(entry)),
      [],
    );
    assert.equal(new Set(described).size, described.length);
  });
});

describe('docs/api.md', () => {
  const page = read('docs/api.md');
  const tables = tablesOf(page);

  test('names the versions that are spoken', () => {
    assert.ok(page.includes(`${MIN_API_VERSION} to ${MAX_API_VERSION}`));
  });

  test('lists the options of a new container that are refused', () => {
    assert.deepEqual(
      (tables.get('Options that are refused') ?? []).map(([field]) => field),
      refusedOptions.map(({ field }) => field),
    );
  });
});
