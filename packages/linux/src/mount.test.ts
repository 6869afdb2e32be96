import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMountPoint, mount, mounts, parseMountInfo } from './mount.ts';

test('a line of mountinfo is read into its fields', () => {
  assert.deepEqual(
    parseMountInfo(
      '36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue\n',
    ),
    [
      {
        id: 36,
        parentId: 35,
        device: '98:0',
        root: '/mnt1',
        target: '/mnt2',
        options: ['rw', 'noatime'],
        tags: ['shared:1', 'master:2'],
        type: 'ext3',
        source: '/dev/root',
        superOptions: ['rw', 'errors=continue'],
      },
    ],
  );
});

test('escaped characters in paths are restored', () => {
  const [entry] = parseMountInfo('1 2 0:5 /a\\134b /with\\040space\\011tab\\012line rw - tmpfs none rw');
  assert.deepEqual([entry?.root, entry?.target, entry?.tags], ['/a\\b', '/with space\ttab\nline', []]);
});

test('a source that is a dash does not end the optional fields', () => {
  const [entry] = parseMountInfo('1 2 0:5 / /x rw - tmpfs - rw');
  assert.deepEqual([entry?.type, entry?.source], ['tmpfs', '-']);
});

test('what is no line of mountinfo is refused', () => {
  for (const text of ['rubbish', '1 2 0:5 / /x rw', '1 2 0:5 / /x rw - tmpfs']) {
    assert.throws(() => parseMountInfo(text), SyntaxError);
  }
  assert.deepEqual(parseMountInfo(''), []);
});

test('this system’s own table can be read', () => {
  assert.ok(mounts().some(({ target, type }) => target === '/proc' && type === 'proc'));
  assert.ok(isMountPoint('/proc'));
  assert.ok(!isMountPoint('/proc/self'));
});

test('options that the kernel would cut off are refused', () => {
  const request = { source: 'overlay', target: '/nowhere', type: 'overlay', data: 'x'.repeat(4096) };
  assert.throws(() => mount(request), RangeError);
});
