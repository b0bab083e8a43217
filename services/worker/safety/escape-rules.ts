/** Rules against commands that run what nobody has seen, let others in, or get out of what holds them. */
import type { CallSubject } from './call-rules.ts';
import { hasOption, inlineCode, type Program, programsOf, runsCode, shells, upstream } from './programs.ts';
import { excerpt, type Rule } from './verdict.ts';

const fetches = /^(?:curl|wget|fetch|aria2c|nc|ncat|netcat|lynx|http|https)$/;

/** Gives what a person cannot read in the command: from the network, or from an encoding. */
function isUnseen(program: Program): boolean {
  if (fetches.test(program.name)) return true;
  if (/^base(?:64|32)$/.test(program.name)) return hasOption(program, /^(?:-[a-zA-Z]*[dD]|--decode)$/);
  if (program.name === 'xxd') return hasOption(program, /^-[a-z]*r/);
  return program.name === 'openssl' && hasOption(program, /^-(?:d|decode)$/);
}

/** Takes its program from its input: no file, no code, or `-`. */
function runsInput(program: Program): boolean {
  if (!runsCode(program.name)) return false;
  const words = program.args.map(({ text }) => text);
  if (words.includes('-s') || words.includes('-') || words.includes('/dev/stdin')) return true;
  return words.every(
    (word) => word.startsWith('-') && !/^-[a-zA-Z]*[cemnprE]|^--(?:eval|print|version|help)/.test(word),
  );
}

const runsUnseen: Rule<CallSubject> = ({ programs }) => {
  for (const program of programs) {
    const { name, args, command } = program;
    const source = runsInput(program) ? upstream(command).find(isUnseen) : undefined;
    // `eval "$(curl …)"`, `sh -c "$(…)"`, `bash <(…)`, `. <(…)`, and `$(…)` alone as the command.
    const takesCode = name === 'eval' || name === '.' || name === 'source' || shells.has(name);
    const given = takesCode ? args : name === '$()' ? command.words.slice(0, 1) : [];
    const inner = given.flatMap((word) => programsOf(word.inner)).find(isUnseen);
    const redirected = runsCode(name)
      ? command.redirects
          .filter(({ operator }) => operator.startsWith('<'))
          .flatMap(({ target }) => programsOf(target.inner))
          .find(isUnseen)
      : undefined;
    const unseen = source ?? inner ?? redirected;
    if (unseen) return { rule: 'runs_unseen_code', reason: `${name} runs what ${unseen.name} gives` };
  }
  return null;
};

const outside = /^\/dev\/(?:tcp|udp)\/(?!localhost\/|127\.|::1\/)/;
const connects =
  /\bsocket\b|\bnet["'`)]*\.(?:connect|createConnection|Socket)|TCPSocket|fsockopen|IO::Socket/;
const takesShell =
  /\bdup2\b|pty\.spawn|["'`](?:\/usr)?(?:\/bin\/)?(?:ba|z|da)?sh["'`\s]|exec\s{0,4}["'`(]{1,2}\/bin\/(?:ba)?sh/;

function isReverse(program: Program): boolean {
  const { name, args, command } = program;
  const words = args.map(({ text }) => text);
  const interactive = (other: Program) => shells.has(other.name) && hasOption(other, /^-[a-z]*i$/);
  if (/^(?:nc|ncat|netcat|nc\.\w+)$/.test(name)) {
    const command_ = words.findIndex((word) => /^-[a-zA-Z]*[ec]$/.test(word));
    if (words.some((word) => /^--(?:exec|sh-exec|lua-exec)\b/.test(word))) return true;
    if (
      command_ >= 0 &&
      /(?:^|\/)(?:\w{0,3}sh|cmd\.exe|python\S*|perl)(?:\s|$)/.test(words[command_ + 1] ?? '')
    )
      return true;
    return upstream(command).some(interactive);
  }
  if (name === 'socat') return words.some((word) => /^(?:exec|system|shell):/i.test(word));
  // `echo > /dev/tcp/db/5432` asks whether a port is open; a shell or a channel for both ways is more.
  const opened = command.redirects.filter(({ target }) => outside.test(target.text));
  if (opened.some(({ operator }) => operator === '<>' || shells.has(name))) return true;
  const code = inlineCode(program);
  return connects.test(code) && takesShell.test(code);
}

const reverseShell: Rule<CallSubject> = ({ programs }) => {
  const program = programs.find(isReverse);
  return program
    ? { rule: 'reverse_shell', reason: `${program.name} gives a shell to the other end of a connection` }
    : null;
};

const guards = /^(?:firewalld|ufw|nftables|iptables|auditd|apparmor|fail2ban|falco|selinux)(?:\.service)?$/;

function disables({ name, args }: Program): boolean {
  const words = args.map(({ text }) => text);
  const has = (word: RegExp) => words.some((text) => word.test(text));
  switch (name) {
    case 'setenforce':
      return /^(?:0|permissive)$/i.test(words[0] ?? '');
    case 'iptables':
    case 'ip6tables':
      return has(/^(?:-F|--flush|-X)$/) || (has(/^(?:-P|--policy)$/) && has(/^ACCEPT$/));
    case 'nft':
      return has(/^flush$/);
    case 'ufw':
      return has(/^(?:disable|reset)$/);
    case 'systemctl':
      return has(/^(?:stop|disable|mask|kill)$/) && has(guards);
    case 'service':
      return guards.test(words[0] ?? '') && words[1] === 'stop';
    case 'aa-teardown':
    case 'aa-disable':
    case 'aa-complain':
      return true;
    case 'auditctl':
      return has(/^-D$/) || /-e 0\b/.test(words.join(' '));
    case 'sysctl':
      return has(
        /^(?:kernel\.(?:randomize_va_space|yama\.ptrace_scope)|kernel\.unprivileged_bpf_disabled)=0$/,
      );
    default:
      return false;
  }
}

const disablesSecurity: Rule<CallSubject> = ({ programs }) => {
  const program = programs.find(disables);
  return program ? { rule: 'disables_security', reason: `${program.name} switches a protection off` } : null;
};

const wayOut =
  /^(?:\/var)?\/run\/(?:docker|containerd\/containerd|crio\/crio)\.sock$|^\/proc\/(?:1\/(?:root|cwd)|sysrq-trigger|sys\/kernel\/core_pattern)|\/release_agent$/;

function leaves({ name, args, command }: Program): boolean {
  const words = [...args.map(({ text }) => text), ...command.redirects.map(({ target }) => target.text)];
  if (/^(?:nsenter|insmod|modprobe|rmmod|kexec|debugfs)$/.test(name)) return words.length > 0;
  if (name === 'mount') return words.some((word) => /^(?:--bind|--rbind|-o|-t)$|^\/dev\//.test(word));
  if (/^(?:docker|podman|nerdctl)$/.test(name)) {
    return words.some((word, at) => {
      const value = /^(?:-v|--volume|--mount)$/.test(word)
        ? words[at + 1]
        : word.replace(/^(?:-v|--volume=)/, '');
      return (
        /^--privileged(?:=true)?$|^--(?:pid|ipc|userns)=host$/.test(word) ||
        /^\/(?:etc|proc|root)?:/.test(value ?? '')
      );
    });
  }
  return words.some((word) => wayOut.test(word.replace(/^(?:-\w|--[\w-]+=|\w+=)?(?:unix:\/\/)?/, '')));
}

const leavesSandbox: Rule<CallSubject> = ({ programs }) => {
  const program = programs.find(leaves);
  return program
    ? { rule: 'leaves_sandbox', reason: `${program.name} reaches for the machine around it` }
    : null;
};

const runsOf =
  /^(?:core\.(?:pager|editor|sshcommand|fsmonitor|hookspath|gitproxy|askpass)|pager\.\w+|diff\.external|diff\.[\w-]+\.(?:command|textconv)|(?:filter|merge)\.[\w-]+\.(?:clean|smudge|process|driver)|alias\.\w+|credential(?:\..{0,80})?\.helper|sequence\.editor|gpg(?:\.\w+)?\.program|uploadpack\.packobjectshook|protocol\.ext\.allow)$/i;
/** Values with which nothing foreign runs. */
const harmless =
  /^(?:|cat|less(?: -\w+)?|more|true|false|:|\/dev\/null|vim?|nano|ssh(?: -i [\w./~-]+| -o (?!ProxyCommand|LocalCommand)[A-Z]\w+=[\w/.-]+| -[46qT])*|store|cache(?: --timeout=\d+)?|never)$/;

function gitRuns({ name, args }: Program): string | null {
  if (name !== 'git') return null;
  const words = args.map(({ text }) => text);
  for (const [at, word] of words.entries()) {
    if (/^--(?:upload|receive)-pack(?:=|$)|^ext::/.test(word)) return word;
    const setting = word === '-c' || word === '--config' ? (words[at + 1] ?? '') : '';
    const equals = setting.indexOf('=');
    const [key, value] =
      equals > 0
        ? [setting.slice(0, equals), setting.slice(equals + 1)]
        : words[0] === 'config'
          ? [word, words[at + 1]]
          : ['', ''];
    if (value === undefined || !runsOf.test(key)) continue;
    // An alias of a command of git is one; with `!` it is a command of the shell.
    if (/^alias\./i.test(key) ? value.startsWith('!') : !harmless.test(value)) return `${key}=${value}`;
  }
  return null;
}

const gitRunsCommand: Rule<CallSubject> = ({ programs }) => {
  for (const program of programs) {
    const setting = gitRuns(program);
    if (setting !== null) return { rule: 'git_runs_command', reason: `git would run ${excerpt(setting)}` };
  }
  return null;
};

export const escapeRules: readonly Rule<CallSubject>[] = [
  runsUnseen,
  reverseShell,
  disablesSecurity,
  leavesSandbox,
  gitRunsCommand,
];
