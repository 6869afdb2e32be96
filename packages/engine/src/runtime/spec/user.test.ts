import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../../base/errors.ts';
import { resolveGroups, resolveUser } from './user.ts';

const passwd = `root:x:0:0:root:/root:/bin/sh
# a comment
daemon:x:1:1:daemon:/usr/sbin:/bin/false
web:x:33:33::/var/www:
42:x:1042:1042::/home/digits:/bin/sh
broken line
nohome:x:50:50:::
`;
const group = 'root:x:0:\nweb:x:33:web\nadm:x:4:daemon,web\ntty:x:5:web,\nother:x:77:root\n';

test('no user means root with its supplementary groups', () => {
  assert.deepEqual(resolveUser('', passwd, group), {
    uid: 0,
    gid: 0,
    additionalGids: [77],
    home: '/root',
    name: 'root',
  });
});

test('a name takes group and home from passwd and supplementary groups from group', () => {
  assert.deepEqual(resolveUser('web', passwd, group), {
    uid: 33,
    gid: 33,
    additionalGids: [4, 5],
    home: '/var/www',
    name: 'web',
  });
});

test('a given group replaces the primary one and drops the supplementary ones', () => {
  assert.deepEqual(resolveUser('web:tty', passwd, group), {
    uid: 33,
    gid: 5,
    additionalGids: [],
    home: '/var/www',
    name: 'web',
  });
  assert.equal(resolveUser('web:1234', passwd, group).gid, 1234);
  assert.deepEqual(resolveUser(':tty', passwd, group), {
    uid: 0,
    gid: 5,
    additionalGids: [],
    home: '/root',
    name: 'root',
  });
});

test('a number without a passwd entry runs in group 0 and lives in /', () => {
  const expected = { uid: 4711, gid: 0, additionalGids: [], home: '/' };
  assert.deepEqual(resolveUser('4711', passwd, group), expected);
  assert.deepEqual(resolveUser('4711', undefined, undefined), expected);
});

test('a number that passwd knows has that entry and its groups', () => {
  assert.deepEqual(resolveUser('33', passwd, group), resolveUser('web', passwd, group));
});

test('a name made of digits is found before the number', () => {
  assert.equal(resolveUser('42', passwd, group).uid, 1042);
});

test('an entry without home lives in /', () => {
  assert.equal(resolveUser('nohome', passwd, group).home, '/');
});

function rejects(run: () => unknown, message: RegExp): void {
  assert.throws(
    run,
    (error) => error instanceof EngineError && error.kind === 'invalid' && message.test(error.message),
  );
}

test('unknown names and impossible ids are refused with the texts of the runtime', () => {
  rejects(
    () => resolveUser('nobody', passwd, group),
    /^unable to find user nobody: no matching entries in passwd file$/,
  );
  rejects(
    () => resolveUser('web:nogroup', passwd, group),
    /^unable to find group nogroup: no matching entries in group file$/,
  );
  rejects(() => resolveUser('web', undefined, undefined), /unable to find user web/);
  rejects(() => resolveUser('-1', passwd, group), /range 0-2147483647/);
  rejects(() => resolveUser('0:2147483648', passwd, group), /range 0-2147483647/);
});

test('added groups are resolved by name or number', () => {
  assert.deepEqual(resolveGroups(['tty', '900'], group), [5, 900]);
  rejects(() => resolveGroups(['nogroup'], group), /unable to find group nogroup/);
});
