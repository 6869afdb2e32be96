/** Docker's request to make an image of a container. */
import { formatContainerPort, type ImageConfig, parseContainerPorts } from '@seaway/engine';
import type { FromSchema } from 'json-schema-to-ts';

const text = { type: ['string', 'null'] } as const;
const texts = { type: ['array', 'null'], items: { type: 'string' } } as const;
const words = { type: ['array', 'string', 'null'], items: { type: 'string' } } as const;
const names = { type: ['object', 'null'], additionalProperties: true } as const;

/** What images say of all that a container's configuration has. */
export const commitBody = {
  type: 'object',
  properties: {
    User: text,
    ExposedPorts: names,
    Env: texts,
    Cmd: words,
    Healthcheck: { type: ['object', 'null'], additionalProperties: true },
    Entrypoint: words,
    Volumes: names,
    WorkingDir: text,
    Labels: { type: ['object', 'null'], additionalProperties: { type: 'string' } },
    StopSignal: text,
    Shell: texts,
    OnBuild: texts,
  },
} as const;

export type CommitBody = FromSchema<typeof commitBody>;

/** @throws invalid for a port that is none */
export function fromDockerCommit(body: CommitBody): ImageConfig {
  return {
    env: [...(body.Env ?? [])],
    cmd: wordList(body.Cmd),
    entrypoint: wordList(body.Entrypoint),
    workingDir: body.WorkingDir ?? '',
    user: body.User ?? '',
    labels: { ...(body.Labels ?? {}) },
    exposedPorts: Object.keys(body.ExposedPorts ?? {}).flatMap((ports) =>
      parseContainerPorts(ports).map(formatContainerPort),
    ),
    volumes: Object.keys(body.Volumes ?? {}),
    stopSignal: body.StopSignal || null,
    shell: body.Shell ? [...body.Shell] : null,
    ...(body.Healthcheck ? { healthcheck: body.Healthcheck } : {}),
    ...(body.OnBuild?.length ? { onBuild: [...body.OnBuild] } : {}),
  };
}

function wordList(value: readonly string[] | string | null | undefined): string[] | null {
  if (value == null) return null;
  return typeof value === 'string' ? [value] : [...value];
}
