/**
 * Runs the benchmarks, each of which prints its figures beside those of its peers in the same run.
 *
 *     npm run bench               all of them
 *     npm run bench -- resolver   those that are named
 */
import { existsSync } from 'node:fs';
import { benchClients } from '../bench/clients.ts';
import { benchExec } from '../bench/exec.ts';
import { benchNetworks } from '../bench/networks.ts';
import { benchPorts } from '../bench/ports.ts';
import { benchResolver } from '../bench/resolver.ts';
import { benchScale } from '../bench/scale.ts';
import { benchSoak } from '../bench/soak.ts';
import { benchStartCost } from '../bench/start-cost.ts';

const benchmarks = {
  'start-cost': benchStartCost,
  exec: benchExec,
  clients: benchClients,
  networks: benchNetworks,
  ports: benchPorts,
  scale: benchScale,
  resolver: benchResolver,
  soak: benchSoak,
};

const withDockerd = ['/usr/sbin/dockerd', '/usr/bin/dockerd'].some((path) => existsSync(path));
if (!withDockerd)
  console.log("Debian's dockerd (package docker.io) is not installed: no comparison with it.");
const chosen = process.argv.slice(2);
for (const [name, bench] of Object.entries(benchmarks)) {
  if (chosen.length === 0 || chosen.includes(name)) await bench(withDockerd);
}
