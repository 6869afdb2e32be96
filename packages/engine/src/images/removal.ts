/** What `docker rmi` does to an image, decided without doing it. Rules and texts are Docker's. */
import { conflict } from '../base/errors.ts';
import { shortId } from '../base/ids.ts';
import type { ImageRecord } from '../model/image.ts';
import { formatRepository, parseReference } from './reference.ts';

export interface ImageUser {
  readonly id: string;
  readonly running: boolean;
}

export interface RemovalInput {
  readonly image: Pick<ImageRecord, 'id' | 'references' | 'repoDigests'>;
  /** What was asked for, for messages. */
  readonly asked: string;
  /** The name or repository digest to remove; absent when the image was asked for by id. */
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
 * With the last tag of a repository go its digests there. By id all goes at once. Throws `conflict` when something in
 * use or ambiguous would go without force; a running container's image cannot be deleted by any force.
 */
export function planRemoval(input: RemovalInput): RemovalPlan {
  return input.name === undefined ? planById(input) : planByName(input, input.name);
}

function planByName(input: RemovalInput, name: string): RemovalPlan {
  const { image, force, users } = input;
  const user = users[0];
  if (user && !force && isOneName(image)) {
    throw conflict(
      'image-in-use',
      `conflict: unable to remove repository reference "${input.asked}" (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(image.id)}`,
      { image: image.id, container: user.id },
    );
  }
  const untag = [name, ...orphanedDigests(image, name)];
  const isLast = untag.length === image.references.length + image.repoDigests.length;
  // An image that is needed stays without a name: by force only where it is running, else also where it is not.
  const isNeeded = users.some((other) => other.running) || (!force && user !== undefined);
  return { untag, isDeleted: isLast && !isNeeded };
}

/** A digest says where a tag came from; without a tag of that repository it would only keep the image from going. */
function orphanedDigests({ references, repoDigests }: RemovalInput['image'], name: string): string[] {
  if (repoDigests.includes(name)) return [];
  const repository = repositoryOf(name);
  const hasOther = references.some((other) => other !== name && repositoryOf(other) === repository);
  return hasOther ? [] : repoDigests.filter((digest) => repositoryOf(digest) === repository);
}

/** At most one tag, and all of one repository: to name the image is to mean all of its names. */
function isOneName({ references, repoDigests }: RemovalInput['image']): boolean {
  const all = [...references, ...repoDigests];
  if (all.length <= 1) return true;
  return references.length <= 1 && new Set(all.map(repositoryOf)).size === 1;
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
  if (!force && !isOneName(image)) {
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
  return { untag: [...image.references, ...image.repoDigests], isDeleted: true };
}

function repositoryOf(name: string): string {
  return formatRepository(parseReference(name));
}

function cannotDelete(input: RemovalInput, remedy: string, reason: string): Error {
  return conflict(
    'image-in-use',
    `conflict: unable to delete ${shortId(input.image.id)} (${remedy}) - ${reason}`,
    { image: input.image.id, containers: input.users.map((user) => user.id) },
  );
}
