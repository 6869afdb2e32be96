/** GET /seaway/firewall, which Docker does not have. */
import { toShownFirewall } from '../docker/firewall.ts';
import type { RouteApp, RouteContext } from './context.ts';

export function firewallRoutes(app: RouteApp, { engine }: RouteContext): void {
  app.get('/seaway/firewall', async () => toShownFirewall(await engine.firewallReport()));
}
