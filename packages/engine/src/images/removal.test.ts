import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../base/errors.ts';
import type { ImageId } from '../base/ids.ts';
import { planRemoval, type RemovalInput } from './removal.ts';

const id = `sha256:3879339103f2${'0'.repeat(52)}` as ImageId;
const stopped = { id: `3534ad6630d7${'0'.repeat(52)}`, running: false };
const running = { ...stopped, running: true };
const byName: RemovalInput = {
  image: { id, references: ['bb:latest'], repoDigests: [] },
  asked: 'bb',
  name: 'bb:latest',
  force: false,
  users: [],
};
const byId: RemovalInput = { image: byName.image, asked: '3879339103f2', force: false, users: [] };
const twoNames = { id, references: ['bb:latest', 'foo/bar:1'], repoDigests: [] };

function refuses(input: RemovalInput, message: string): void {
  assert.throws(
    () => planRemoval(input),
    (error) => error instanceof EngineError && error.kind === 'conflict' && error.message === message,
  );
}

test('the last name takes the image along', () => {
  assert.deepEqual(planRemoval(byName), { untag: ['bb:latest'], isDeleted: true });
});

test('one name of several goes alone, whoever uses the image', () => {
  assert.deepEqual(planRemoval({ ...byName, image: twoNames, users: [running] }), {
    untag: ['bb:latest'],
    isDeleted: false,
  });
});

test('the last name of an image in use needs force, and then the image stays without a name', () => {
  refuses(
    { ...byName, users: [stopped] },
    'conflict: unable to remove repository reference "bb" (must force) - container 3534ad6630d7 is using its referenced image 3879339103f2',
  );
  assert.deepEqual(planRemoval({ ...byName, users: [running], force: true }), {
    untag: ['bb:latest'],
    isDeleted: false,
  });
});

test('the digests of a repository go with its last tag there, and one of several repositories alone', () => {
  const digest = `@sha256:${'d'.repeat(64)}`;
  const pulled = { id, references: ['bb:latest'], repoDigests: [`bb${digest}`] };
  assert.deepEqual(planRemoval({ ...byName, image: pulled }), {
    untag: ['bb:latest', `bb${digest}`],
    isDeleted: true,
  });
  refuses(
    { ...byName, image: pulled, users: [stopped] },
    'conflict: unable to remove repository reference "bb" (must force) - container 3534ad6630d7 is using its referenced image 3879339103f2',
  );
  assert.deepEqual(planRemoval({ ...byName, image: pulled, name: `bb${digest}` }), {
    untag: [`bb${digest}`],
    isDeleted: false,
  });
  const twice = { ...pulled, references: ['bb:latest', 'bb:2', 'other:1'] };
  assert.deepEqual(planRemoval({ ...byName, image: twice }), { untag: ['bb:latest'], isDeleted: false });
  const elsewhere = { ...pulled, references: ['bb:latest', 'other:1'] };
  assert.deepEqual(planRemoval({ ...byName, image: elsewhere }), {
    untag: ['bb:latest', `bb${digest}`],
    isDeleted: false,
  });
  assert.deepEqual(planRemoval({ ...byId, image: pulled }).untag, ['bb:latest', `bb${digest}`]);
  refuses(
    { ...byId, image: elsewhere },
    'conflict: unable to delete 3879339103f2 (must be forced) - image is referenced in multiple repositories',
  );
});

test('by force the last name of an image goes with the image unless that runs', () => {
  assert.deepEqual(planRemoval({ ...byName, users: [stopped], force: true }), {
    untag: ['bb:latest'],
    isDeleted: true,
  });
});

test('by id all names go at once, but several need force', () => {
  assert.deepEqual(planRemoval(byId), { untag: ['bb:latest'], isDeleted: true });
  refuses(
    { ...byId, image: twoNames },
    'conflict: unable to delete 3879339103f2 (must be forced) - image is referenced in multiple repositories',
  );
  assert.deepEqual(planRemoval({ ...byId, image: twoNames, force: true }), {
    untag: ['bb:latest', 'foo/bar:1'],
    isDeleted: true,
  });
});

test('by id a stopped container needs force and a running one forbids it', () => {
  refuses(
    { ...byId, users: [stopped] },
    'conflict: unable to delete 3879339103f2 (must be forced) - image is being used by stopped container 3534ad6630d7',
  );
  assert.equal(planRemoval({ ...byId, users: [stopped], force: true }).isDeleted, true);
  refuses(
    { ...byId, users: [stopped, running], force: true },
    'conflict: unable to delete 3879339103f2 (cannot be forced) - image is being used by running container 3534ad6630d7',
  );
});

test('an image without a name is deleted by id', () => {
  assert.deepEqual(planRemoval({ ...byId, image: { id, references: [], repoDigests: [] } }), {
    untag: [],
    isDeleted: true,
  });
});
