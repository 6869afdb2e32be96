/** Events as Docker's clients see them. */
import type { EngineEvent } from '@seaway/engine';
import type { ApiVersion } from '../http/version.ts';

/** Older clients read these repeated fields of container and image events. */
const NO_LEGACY_FIELDS: ApiVersion = 152;

export function toDockerEvent(event: EngineEvent, version: ApiVersion) {
  const { type, action, actorId, attributes, timeNanoseconds } = event;
  const isLegacy = version < NO_LEGACY_FIELDS && (type === 'container' || type === 'image');
  return {
    ...(isLegacy
      ? { status: action, id: actorId, ...(attributes.image ? { from: attributes.image } : {}) }
      : {}),
    Type: type,
    Action: action,
    Actor: { ID: actorId, Attributes: attributes },
    scope: 'local',
    time: Number(timeNanoseconds / 1_000_000_000n),
    timeNano: timeNanoseconds,
  };
}

/** JSON of an event; its nanoseconds do not fit a JavaScript number. */
export function eventLine(event: EngineEvent, version: ApiVersion): string {
  const { timeNano, ...rest } = toDockerEvent(event, version);
  return `${JSON.stringify(rest).slice(0, -1)},"timeNano":${timeNano}}\n`;
}
