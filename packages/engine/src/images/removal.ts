/** What `docker rmi` does to an image, decided without doing it. Rules and texts are Docker's. */
import { conflict } from '../base/errors.ts';
import { shortId } from '../base/ids.ts';
import type { ImageRecord } from '../model/image.ts';

export interface ImageUser {
  readonly id: string;
  readonly running: boolean;
}

export interface RemovalInput {
  readonly image: Pick<ImageRecord, 'id' | 'references'>;
  /** What was asked for, for messages. */
  readonly asked: string;
  /** The normalised name to remove; absent when the image was asked for by id. */
  readonly name?: string;
  readonly force: boolean;
  /** Containers made from this image. */
  readonly users: readonly ImageUser[];
}

export interface RemovalPlan {
  readonly untag: readonly string[];
  /** False: the image stays, under its other names or without one because containers still need it. */
  readonly isDeleted: boolean;
}

/**
 * Decides what goes. A name is taken away alone while the image has others; the last name takes the image along.
 * By id all goes at once. Throws `conflict` when something in use or ambiguous would go without force; a running
 * container's image cannot be deleted by any force.
 */
export function planRemoval(input: RemovalInput): RemovalPlan {
  return input.name === undefined ? planById(input) : planByName(input, input.name);
}

function planByName(input: RemovalInput, name: string): RemovalPlan {
  const { image, force, users } = input;
  const user = users[0];
  if (image.references.length > 1) return { untag: [name], isDeleted: false };
  if (user && !force) {
    throw conflict(
      'image-in-use',
      `conflict: unable to remove repository reference "${input.asked}" (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(image.id)}`,
      { image: image.id, container: user.id },
    );
  }
  // Forced: the name goes, and an image that containers still need stays without one.
  return { untag: [name], isDeleted: !user };
}

function planById(input: RemovalInput): RemovalPlan {
  const { image, force, users } = input;
  const running = users.find((user) => user.running);
  if (running) {
    throw cannotDelete(
      input,
      'cannot be forced',
      `image is being used by running container ${shortId(running.id)}`,
    );
  }
  if (!force && image.references.length > 1) {
    throw cannotDelete(input, 'must be forced', 'image is referenced in multiple repositories');
  }
  const stopped = users[0];
  if (!force && stopped) {
    throw cannotDelete(
      input,
      'must be forced',
      `image is being used by stopped container ${shortId(stopped.id)}`,
    );
  }
  return { untag: image.references, isDeleted: true };
}

function cannotDelete(input: RemovalInput, remedy: string, reason: string): Error {
  return conflict(
    'image-in-use',
    `conflict: unable to delete ${shortId(input.image.id)} (${remedy}) - ${reason}`,
    { image: input.image.id, containers: input.users.map((user) => user.id) },
  );
}
