import { randomBytes } from 'node:crypto';

declare const brand: unique symbol;
/** A string or number that only a parser or a maker of this type can produce. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

export type NetworkId = Brand<string, 'NetworkId'>;
export type EndpointId = Brand<string, 'EndpointId'>;
export type ContainerId = Brand<string, 'ContainerId'>;
export type SandboxId = Brand<string, 'SandboxId'>;
/** Of one further process in a container. */
export type ExecId = Brand<string, 'ExecId'>;
/** `sha256:` and 64 hex digits: the digest of the image's configuration. */
export type ImageId = Brand<string, 'ImageId'>;

/** Docker's identifiers: 32 random bytes as 64 lower-case hex digits. */
export function newId<Id extends NetworkId | EndpointId | ContainerId | SandboxId | ExecId>(): Id {
  return randomBytes(32).toString('hex') as Id;
}

/** The 12 digits that people see and type. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
