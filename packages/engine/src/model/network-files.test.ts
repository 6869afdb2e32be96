import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  formatHostsFile,
  formatResolvConf,
  overrideResolver,
  ownNames,
  parseResolvConf,
  reachableResolver,
  withIpv6Lines,
  withLinkLines,
} from './network-files.ts';

describe('/etc/hosts', () => {
  it('has the loopback names, the extra hosts, then the own addresses', () => {
    const file = formatHostsFile({
      ipv6: true,
      extraHosts: [{ address: '192.0.2.7', names: ['db'] }],
      links: [{ address: '172.17.0.3', names: ['store', 'box'] }],
      own: [{ address: '172.17.0.2', names: ownNames('web', '') }],
    });
    assert.equal(
      file,
      '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n' +
        'ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n192.0.2.7\tdb\n172.17.0.3\tstore box\n172.17.0.2\tweb\n',
    );
  });

  it('tells nothing of IPv6 where there is none', () => {
    const extraHosts = [
      { address: '2001:db8::7', names: ['six'] },
      { address: '192.0.2.7', names: ['four'] },
    ];
    assert.equal(
      formatHostsFile({ ipv6: false, extraHosts, links: [], own: [] }),
      '127.0.0.1\tlocalhost\n192.0.2.7\tfour\n',
    );
  });

  it('gets the lines of IPv6 when the container gets IPv6, once', () => {
    const extraHosts = [
      { address: '192.0.2.7', names: ['four'] },
      { address: '2001:db8::7', names: ['six'] },
    ];
    const rest = { extraHosts, links: [], own: [{ address: '172.18.0.2', names: ['web'] }] };
    const without = formatHostsFile({ ...rest, ipv6: false });
    const edited = `${without}192.0.2.9 mine\n`;
    const gained = withIpv6Lines(edited, extraHosts);
    assert.match(
      gained,
      /^127\.0\.0\.1\tlocalhost\n::1\tlocalhost [^\n]*\nfe00::.*\tsix\n192\.0\.2\.7\tfour\n/s,
    );
    assert.deepEqual(
      gained.split('\n').sort(),
      `${formatHostsFile({ ...rest, ipv6: true })}192.0.2.9 mine\n`.split('\n').sort(),
    );
    assert.equal(withIpv6Lines(gained, extraHosts), gained);
    assert.match(withIpv6Lines('192.0.2.9 mine\n', []), /^::1\tlocalhost .*\n192\.0\.2\.9 mine\n$/s);
  });

  describe('of a linking container', () => {
    const own = '172.17.0.3\tstore.example store\n';
    const entry = (address: string) => ({ address, names: ['store', 'box', 'db'] });
    const before = `127.0.0.1\tlocalhost\n192.0.2.7\tstore\n172.17.0.2\tstore box db\n192.0.2.9 store mine\n${own}`;
    const withLine = (line: string) => before.replace('172.17.0.2\tstore box db\n', line);

    it('has the line of the link in place of the earlier one', () => {
      assert.equal(
        withLinkLines(before, 'store', [entry('172.17.0.9')], own),
        withLine('172.17.0.9\tstore box db\n'),
      );
      const both = [entry('172.17.0.9'), entry('2001:db8::9')];
      const lines = '172.17.0.9\tstore box db\n2001:db8::9\tstore box db\n';
      assert.equal(withLinkLines(before, 'store', both, own), withLine(lines));
      assert.equal(withLinkLines(withLine(lines), 'store', [entry('172.17.0.2')], own), before);
    });

    it('loses the line with the link, and gets it back at the end', () => {
      const without = withLine('');
      assert.equal(withLinkLines(before, 'store', [], own), without);
      assert.equal(
        withLinkLines(without, 'store', [entry('172.17.0.2')], own),
        `${without}172.17.0.2\tstore box db\n`,
      );
      assert.equal(withLinkLines('192.0.2.9 x', 'a', [entry('::1')], ''), '192.0.2.9 x\n::1\tstore box db\n');
    });

    it('keeps what is not of the link: own lines, extra hosts, those of other links', () => {
      assert.equal(withLinkLines(before, 'stor', [], own), before);
      assert.equal(withLinkLines(before, 'localhost', [], own), before);
      assert.equal(withLinkLines(before, 'store.example', [], own), before);
    });
  });

  it('names a container with a domain by its full name first', () => {
    assert.deepEqual(ownNames('h1', 'd.org'), ['h1.d.org', 'h1']);
    assert.deepEqual(ownNames('h1.d.org', ''), ['h1.d.org', 'h1']);
    assert.deepEqual(ownNames('h1', ''), ['h1']);
  });
});

describe('/etc/resolv.conf', () => {
  const host = parseResolvConf(
    '# made by hand\ndomain old.example\nnameserver 127.0.0.53\nnameserver 192.0.2.53 ; fast\nnameserver fd00::53\n' +
      'search a.example b.example\noptions edns0\noptions ndots:2\nsortlist 10.0.0.0\n\n',
  );

  it('keeps the last search line, all options and unknown directives', () => {
    assert.deepEqual(host, {
      nameservers: ['127.0.0.53', '192.0.2.53', 'fd00::53'],
      search: ['a.example', 'b.example'],
      options: ['edns0', 'ndots:2'],
      others: ['sortlist 10.0.0.0'],
    });
  });

  it('drops servers that a container cannot reach', () => {
    assert.equal(
      formatResolvConf(reachableResolver(host, false)),
      'nameserver 192.0.2.53\nsearch a.example b.example\noptions edns0 ndots:2\nsortlist 10.0.0.0\n',
    );
    assert.deepEqual(reachableResolver(host, true).nameservers, ['192.0.2.53', 'fd00::53']);
  });

  it('falls back to public servers when none is left', () => {
    const local = parseResolvConf('nameserver 127.0.0.1\nnameserver ::1\n');
    assert.deepEqual(reachableResolver(local, false).nameservers, ['8.8.8.8', '8.8.4.4']);
    assert.equal(reachableResolver(local, true).nameservers.length, 4);
  });

  it('replaces each list that is given as a whole', () => {
    const changed = overrideResolver(host, {
      dns: ['198.51.100.9'],
      dnsSearch: ['.'],
      dnsOptions: ['ndots:5'],
    });
    assert.equal(formatResolvConf(changed), 'nameserver 198.51.100.9\noptions ndots:5\nsortlist 10.0.0.0\n');
    assert.deepEqual(overrideResolver(host, { dns: [], dnsSearch: [], dnsOptions: [] }), host);
  });
});
