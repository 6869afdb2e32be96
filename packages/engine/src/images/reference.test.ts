import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../base/errors.ts';
import type { ImageId } from '../base/ids.ts';
import { findImage, formatReference, normaliseReference, parseNewTag, parseReference } from './reference.ts';

function rejects(run: () => unknown, message: string): void {
  assert.throws(
    run,
    (error) => error instanceof EngineError && error.kind === 'invalid' && error.message === message,
  );
}

const digest = `sha256:${'ab'.repeat(32)}`;

test('short and full names mean the same', () => {
  for (const text of [
    'busybox',
    'busybox:latest',
    'docker.io/busybox',
    'index.docker.io/library/busybox:latest',
  ]) {
    assert.equal(normaliseReference(text), 'busybox:latest', text);
  }
  assert.equal(normaliseReference('docker.io/foo/bar:1'), 'foo/bar:1');
  assert.equal(normaliseReference('library/busybox'), 'busybox:latest');
});

test('a first component that looks like a host is the registry', () => {
  assert.deepEqual(parseReference('localhost:5000/a/b:1.0'), {
    domain: 'localhost:5000',
    path: 'a/b',
    tag: '1.0',
  });
  assert.equal(parseReference('localhost/a').domain, 'localhost');
  assert.equal(parseReference('registry.example/a').domain, 'registry.example');
  assert.equal(parseReference('[2001:db8::1]:5000/a').domain, '[2001:db8::1]:5000');
  assert.equal(parseReference('team/a').path, 'team/a');
});

test('digests are parsed and printed back', () => {
  const reference = parseReference(`team/app:2@${digest}`);
  assert.equal(reference.digest, digest);
  assert.equal(formatReference(reference), `team/app:2@${digest}`);
  assert.equal(normaliseReference(`app@${digest}`), `app@${digest}`);
});

test('malformed names are refused', () => {
  const malformed = [
    '',
    'a b',
    'a:',
    ':a',
    'a//b',
    '-a',
    'a..b',
    'a@sha256:12',
    `a:${'t'.repeat(129)}`,
    '/a',
    'a/',
    'a:b:c',
    'a_-b',
    'a\n',
  ];
  for (const text of malformed) rejects(() => parseReference(text), 'invalid reference format');
});

test('capitals get their own message', () => {
  rejects(
    () => parseReference('BB'),
    'invalid reference format: repository name (library/BB) must be lowercase',
  );
  rejects(
    () => parseReference('registry.example/Team/app:X'),
    'invalid reference format: repository name (Team/app) must be lowercase',
  );
  assert.equal(parseReference('app:TAG').tag, 'TAG');
});

test('a name cannot look like an id or be endless', () => {
  rejects(
    () => parseReference('ab'.repeat(32)),
    `invalid repository name (${'ab'.repeat(32)}), cannot specify 64-byte hexadecimal strings`,
  );
  rejects(() => parseReference('a'.repeat(250)), 'repository name must not be more than 255 characters');
});

test('a new tag takes its tag from either parameter', () => {
  assert.equal(parseNewTag('docker.io/library/app', '2'), 'app:2');
  assert.equal(parseNewTag('app:3'), 'app:3');
  assert.equal(parseNewTag('app', ''), 'app:latest');
  rejects(() => parseNewTag('app', '!'), 'invalid tag format');
  rejects(() => parseNewTag(`app@${digest}`), 'refusing to create a tag with a digest reference');
});

const images = [
  {
    id: `sha256:abc1${'0'.repeat(60)}` as ImageId,
    references: ['busybox:latest', 'team/x:1'],
    repoDigests: [],
    digest,
  },
  {
    id: `sha256:abc2${'0'.repeat(60)}` as ImageId,
    references: [],
    repoDigests: [],
    digest: `sha256:${'00'.repeat(32)}`,
  },
  { id: `sha256:fade${'0'.repeat(60)}` as ImageId, references: ['abc2:latest'], repoDigests: [], digest: '' },
];

test('images are found by name, full id, digest and unique beginning of the id', () => {
  const found = (text: string): string | undefined => {
    const result = findImage(images, text);
    return result && `${result.by} ${result.image.id.slice(7, 11)}`;
  };
  assert.equal(found('docker.io/library/busybox'), 'name abc1');
  assert.equal(found('team/x:1'), 'name abc1');
  assert.equal(found(`abc1${'0'.repeat(60)}`), 'id abc1');
  assert.equal(found(`sha256:abc2${'0'.repeat(60)}`), 'id abc2');
  assert.equal(found('sha256:fad'), 'id fade');
  assert.equal(found('abc1'), 'id abc1');
  assert.equal(found(`busybox@${digest}`), 'name abc1');
});

test('a name goes before an id that begins alike', () => {
  assert.equal(findImage(images, 'abc2')?.image.id.slice(7, 11), 'fade');
});

test('an ambiguous beginning and an unknown name find nothing', () => {
  for (const text of ['abc', 'nope', 'busybox:1', 'f'.repeat(64), `other@${digest}`]) {
    assert.equal(findImage(images, text), undefined, text);
  }
  rejects(() => findImage(images, 'no!pe'), 'invalid reference format');
});
