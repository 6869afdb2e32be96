import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logAttributes } from './log-attributes.ts';

const container = {
  id: 'abcdef0123456789',
  name: 'web',
  imageId: 'sha256:0123456789abcdef',
  config: {
    image: 'nginx:1',
    labels: { tier: 'front', team: 'a b', 'com.x': '1' },
    env: ['MODE=x=y', 'EMPTY=', 'TIER=back', 'BARE'],
  },
};

function attributes(options: Record<string, string>): Record<string, string> {
  return Object.fromEntries(logAttributes({ ...container, options }));
}

test('labels and variables are those that are named', () => {
  assert.deepEqual(attributes({}), {});
  assert.deepEqual(attributes({ 'max-size': '1m' }), {});
  assert.deepEqual(attributes({ labels: 'tier,nope,team' }), { tier: 'front', team: 'a b' });
  assert.deepEqual(attributes({ env: 'MODE,EMPTY,BARE' }), { MODE: 'x=y', EMPTY: '', BARE: '' });
});

test('or whose names fit an expression; a broken one fits none', () => {
  assert.deepEqual(attributes({ 'labels-regex': '^t', 'env-regex': 'IER$' }), {
    tier: 'front',
    team: 'a b',
    TIER: 'back',
  });
  assert.deepEqual(attributes({ 'labels-regex': '(' }), {});
});

test('a tag is a template', () => {
  const tag = '{{.Name}}/{{ .ID }}/{{.FullID}}/{{.ImageName}}/{{.ImageID}}/{{.ImageFullID}}/{{.DaemonName}}';
  assert.deepEqual(attributes({ tag }), {
    tag: 'web/abcdef012345/abcdef0123456789/nginx:1/0123456789ab/sha256:0123456789abcdef/docker',
  });
  assert.deepEqual(attributes({ tag: 'plain {{.Nope}}' }), { tag: 'plain {{.Nope}}' });
});
