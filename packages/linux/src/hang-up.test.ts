import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isHungUp } from './hang-up.ts';
import * as libc from './libc.ts';
import { closeFd, shutdownWrite } from './seqpacket.ts';

test('a closed connection is hung up, a half-closed or silent one is not', () => {
  const [near, far] = libc.socketpair(libc.SOCK_SEQPACKET);
  assert.equal(isHungUp(near), false);
  shutdownWrite(far);
  assert.equal(isHungUp(near), false);
  closeFd(far);
  assert.equal(isHungUp(near), true);
  closeFd(near);
});
