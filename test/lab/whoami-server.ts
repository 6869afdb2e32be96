/**
 * Answers every HTTP request with the peer's address; run in a lab's outside network it shows what source address
 * traffic from containers arrives with. Usage: `node whoami-server.ts PORT`
 */
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  const address = request.socket.remoteAddress?.replace(/^::ffff:/, '');
  response.end(`${address}\n`);
});
server.listen(Number(process.argv[2]), '::', () => process.stdout.write('listening\n'));
