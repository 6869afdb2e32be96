import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerConfig } from '../model/container.ts';
import { emptyImageConfig } from './config-change.ts';
import { mergeConfig } from './merge-config.ts';

const image = { ...emptyImageConfig(), volumes: ['/data'], shell: ['/bin/ash', '-c'] };
const container = {
  user: 'www',
  env: ['A=1', 'B=2'],
  cmd: ['httpd', '-f'],
  entrypoint: ['/init'],
  workingDir: '/www',
  labels: { a: '1', b: '2' },
  exposedPorts: ['80/tcp'],
  stopSignal: 'SIGTERM',
  volumes: ['/own'],
} as unknown as ContainerConfig;

const merge = (asked: Partial<ReturnType<typeof emptyImageConfig>>) =>
  mergeConfig({ ...emptyImageConfig(), ...asked }, container, image);

describe('the configuration of a committed image', () => {
  test('is the container’s where nothing was asked for', () => {
    assert.deepEqual(merge({}), {
      env: ['A=1', 'B=2'],
      cmd: ['httpd', '-f'],
      entrypoint: ['/init'],
      workingDir: '/www',
      user: 'www',
      labels: { a: '1', b: '2' },
      exposedPorts: ['80/tcp'],
      volumes: ['/data', '/own'],
      stopSignal: null,
      shell: ['/bin/ash', '-c'],
    });
  });

  test('adds to lists and replaces words', () => {
    const merged = merge({
      env: ['B=3', 'C=4'],
      labels: { b: '3' },
      exposedPorts: ['81/tcp'],
      volumes: ['/more'],
      user: 'root',
      workingDir: '/',
      stopSignal: 'SIGINT',
    });
    assert.deepEqual(merged.env, ['B=3', 'C=4', 'A=1']);
    assert.deepEqual(merged.labels, { a: '1', b: '3' });
    assert.deepEqual(merged.exposedPorts, ['81/tcp', '80/tcp']);
    assert.deepEqual(merged.volumes, ['/more', '/data', '/own']);
    assert.deepEqual([merged.user, merged.workingDir, merged.stopSignal], ['root', '/', 'SIGINT']);
  });

  test('a new command keeps the entrypoint, a new entrypoint drops the command', () => {
    assert.deepEqual(merge({ cmd: ['sh'] }).entrypoint, ['/init']);
    assert.deepEqual(merge({ cmd: ['sh'] }).cmd, ['sh']);
    assert.equal(merge({ entrypoint: ['/other'] }).cmd, null);
    assert.deepEqual(merge({ entrypoint: [] }).cmd, ['httpd', '-f']);
    assert.deepEqual(merge({ entrypoint: [] }).entrypoint, []);
  });

  test('a health check is filled up with the image’s', () => {
    const known = { ...image, healthcheck: { Test: ['CMD', 'true'], Interval: 5e9, Retries: 2 } };
    const asked = { ...emptyImageConfig(), healthcheck: { Test: [], Interval: 1e9 } };
    assert.deepEqual(mergeConfig(asked, container, known).healthcheck, {
      Test: ['CMD', 'true'],
      Interval: 1e9,
      Retries: 2,
    });
  });
});
