/**
 * Runs the benchmarks, each of which prints its figures beside those of its peers in the same run.
 */
import { existsSync } from 'node:fs';
import { benchStartCost } from '../bench/start-cost.ts';

const withDockerd = ['/usr/sbin/dockerd', '/usr/bin/dockerd'].some((path) => existsSync(path));
if (!withDockerd)
  console.log("Debian's dockerd (package docker.io) is not installed: no comparison with it.");
await benchStartCost(withDockerd);
