/** Health checks and their results as Docker's clients write and read them. */
import { type Health, type HealthCheck, healthCheckFrom } from '@seaway/engine';
import type { ApiVersion } from '../http/version.ts';
import type { CreateContainerBody } from './create-container-body.ts';

/** From this version on there is an interval of its own for the start period. */
const START_INTERVAL: ApiVersion = 144;

/** The request's health check as a field of the engine's configuration, if it has one. */
export function parseHealthCheck(
  { Healthcheck: given }: CreateContainerBody,
  version: ApiVersion,
): { readonly healthCheck?: HealthCheck } {
  const healthCheck = healthCheckFrom(given);
  if (!healthCheck) return {};
  return { healthCheck: version < START_INTERVAL ? { ...healthCheck, startIntervalNs: 0 } : healthCheck };
}

export function toDockerHealth({ status, failingStreak, log }: Health) {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ start, end, exitCode, output }) => ({
      Start: start,
      End: end,
      ExitCode: exitCode,
      Output: output,
    })),
  };
}
