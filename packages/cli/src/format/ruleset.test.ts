import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coloured } from './paint.ts';
import { formatRuleset } from './ruleset.ts';

/** As nft prints it. */
const listed = `table inet seaway {
	map published4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		elements = { tcp . 9090 : 172.17.0.2 . 90,
			     tcp . 443 : 172.17.0.2 . 443,
			     udp . 53 : 172.17.0.2 . 53 }
	}

	set internal {
		type ifname
	}

	set ranges {
		type ipv4_addr
		flags interval
		elements = { 10.0.0.0/8 }
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state established,related accept comment "replies"
		meta l4proto { tcp, udp, sctp } oifname @routed4 ip daddr . meta l4proto . th dport @opened4 counter packets 0 bytes 0 drop comment "routed, \\ and more"
		accept
	}
}

table bridge seaway {
}
`;

test('a ruleset is laid out for reading', () => {
  assert.equal(
    formatRuleset(listed, { width: 84 }),
    `table inet seaway {
    set internal { type ifname; }

    map published4 {
        type inet_proto . inet_service : ipv4_addr . inet_service
        elements = { tcp . 443 : 172.17.0.2 . 443, tcp . 9090 : 172.17.0.2 . 90,
                     udp . 53 : 172.17.0.2 . 53 }
    }

    set ranges {
        type ipv4_addr
        flags interval
        elements = { 10.0.0.0/8 }
    }

    chain forward {
        type filter hook forward priority filter; policy accept;
        # replies
        ct state established,related accept
        # routed, \\ and more
        meta l4proto { tcp, udp, sctp } oifname @routed4 \\
            ip daddr . meta l4proto . th dport @opened4 \\
            counter packets 0 bytes 0 drop
        accept
    }
}

table bridge seaway {
}
`,
  );
});

test('elements are in columns, and those beyond the wanted number are counted', () => {
  const elements = Array.from({ length: 200 }, (_, port) => `tcp . ${port + 1}`);
  const text = `table inet t {\n\tset s {\n\t\ttype x\n\t\telements = { ${elements.toReversed().join(',\n\t\t\t')} }\n\t}\n}\n`;
  const all = formatRuleset(text, { width: 60 }).split('\n');
  assert.equal(all[3], '        elements = { tcp . 1,   tcp . 2,   tcp . 3,');
  assert.equal(all.at(-4), '                     tcp . 199, tcp . 200 }');
  const few = formatRuleset(text, { width: 60, elementsShown: 4 }).split('\n');
  assert.deepEqual(few.slice(3, 7), [
    '        elements = { tcp . 1, tcp . 2, tcp . 3, tcp . 4,',
    '                     # and 196 more',
    '                     }',
    '    }',
  ]);
  const narrow = formatRuleset(text, { width: 10, elementsShown: 2 }).split('\n');
  assert.deepEqual(narrow.slice(4, 6), ['        elements = { tcp . 1,', '                     tcp . 2,']);
});

test('colours change nothing but colours', () => {
  const painted = formatRuleset(listed, { width: 80, paint: coloured });
  assert.notEqual(painted, formatRuleset(listed, { width: 80 }));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are made of
  assert.equal(painted.replaceAll(/\u001b\[\d+m/g, ''), formatRuleset(listed, { width: 80 }));
});
