import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerSummary } from '../client/types.ts';
import { containerListing, containerRow } from './container.ts';

const createdSeconds = 1_700_000_000;
const nowMs = (createdSeconds + 3) * 1000;

function summary(changes: Partial<ContainerSummary> = {}): ContainerSummary {
  return {
    Id: 'c'.repeat(64),
    Names: ['/web'],
    Image: 'busybox',
    ImageID: `sha256:${'d'.repeat(64)}`,
    Command: 'sh',
    Created: createdSeconds,
    Ports: [],
    Labels: {},
    State: 'running',
    Status: 'Up 2 seconds',
    ...changes,
  };
}

test('a row has every field that has a heading', () => {
  const row = containerRow(summary(), nowMs, true);
  assert.deepEqual(Object.keys(row).sort(), Object.keys(containerListing.headings).sort());
});

test('ids and commands are shortened only when wanted', () => {
  const container = summary({ Command: "sh -c 'echo a; echo b'" });
  const short = containerRow(container, nowMs, true);
  assert.equal(short.ID, 'c'.repeat(12));
  assert.equal(short.Command, `"sh -c 'echo a; echo…"`);
  const full = containerRow(container, nowMs, false);
  assert.equal(full.ID, 'c'.repeat(64));
  assert.equal(full.Command, `"sh -c 'echo a; echo b'"`);
});

test('the age is counted from now', () => {
  assert.equal(containerRow(summary(), nowMs, true).RunningFor, '3 seconds ago');
});

test('names lose their slash, and links are left out of the short form', () => {
  const container = summary({ Names: ['/web', '/app/db'] });
  assert.equal(containerRow(container, nowMs, true).Names, 'web');
  assert.equal(containerRow(container, nowMs, false).Names, 'web,app/db');
});

test('an image given by its id is shortened, a name is not', () => {
  const id = `sha256:${'d'.repeat(64)}`;
  assert.equal(containerRow(summary({ Image: id }), nowMs, true).Image, 'd'.repeat(12));
  assert.equal(containerRow(summary({ Image: id }), nowMs, false).Image, id);
  assert.equal(containerRow(summary({ Image: '' }), nowMs, true).Image, '<no image>');
});

test('ports show where the host answers for them', () => {
  const Ports = [
    { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { PrivatePort: 53, Type: 'udp' },
  ];
  const row = containerRow(summary({ Ports }), nowMs, true);
  assert.equal(row.Ports, '53/udp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp');
});

test('labels, networks and mounts are listed, and null counts as none', () => {
  const row = containerRow(
    summary({
      Labels: { b: '2', a: '1' },
      NetworkSettings: { Networks: { shop: {}, bridge: {} } },
      Mounts: [{ Name: 'data', Source: '/x' }, { Source: '/y' }],
    }),
    nowMs,
    true,
  );
  assert.equal(row.Labels, 'a=1,b=2');
  assert.equal(row.Networks, 'bridge,shop');
  assert.equal(row.Mounts, 'data,/y');
  const empty = containerRow(summary({ Labels: null, Ports: null, Mounts: null }), nowMs, true);
  assert.deepEqual([empty.Labels, empty.Ports, empty.Mounts], ['', '', '']);
});
