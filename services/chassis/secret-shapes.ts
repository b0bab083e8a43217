/**
 * Secrets that nobody has named, known by their shape. Each pattern takes a whole run of characters once it has begun,
 * or gives up within a bounded distance, so that all are linear. None takes a quote or ends inside an escape: JSON
 * stays JSON.
 */
import { scrubPrivateKeys } from './private-keys.ts';
import { isRandom } from './secret-names.ts';

const HIDDEN = '[secret]';

interface Shape {
  /** Texts of three characters or more, one of which is in every text that has this shape. */
  readonly marks: readonly string[];
  readonly scrub: (text: string) => string;
}

/** Where a token may begin: not inside a word, but after an escape of JSON, a URL's %20 or a colour of a terminal. */
const escapes = String.raw`(?<=\\[nrtbf]|%[0-9A-Fa-f]{2}|\[[0-9;]{1,8}m)`;
const edge = `(?:(?<![A-Za-z0-9\\\\])|${escapes})`;

/** A whole token, when `really` says that it is one. */
function token(marks: string, pattern: string, really: (token: string) => boolean = () => true): Shape {
  const shape = new RegExp(pattern, 'g');
  return {
    marks: marks.split(' '),
    scrub: (text) => text.replace(shape, (found) => (really(found) ? HIDDEN : found)),
  };
}

/** A secret after something that says so: the first group stays, the second goes. */
function after(
  marks: string,
  shape: RegExp,
  really: (secret: string, before: string) => boolean = () => true,
): Shape {
  return {
    marks: marks.split(' '),
    scrub: (text) =>
      text.replace(shape, (found: string, before: string, secret: string) =>
        isShown(secret) || !really(secret, before) ? found : before + HIDDEN,
      ),
  };
}

/** The ways in which people write a header's name. */
const anyCase = (words: string): string =>
  words
    .split(' ')
    .flatMap((word) => [word, word.toUpperCase()])
    .join(' ');

/** Scrubbed already, or a variable whose value is put there later. */
const isShown = (secret: string): boolean => /^(?:\[secret|\$[{(A-Za-z_]|\{\{|<|\*+$|…)/.test(secret);

/** Keys have one long part of mixed characters; `sk-fading-circle` has not. */
const hasRandomPart = (found: string): boolean =>
  found.split(/[-_]/).some((part) => part.length >= 16 && /\d/.test(part) && /[A-Za-z]/.test(part));

const isBasic = (secret: string): boolean =>
  /^[\x20-\x7e]*:[\x20-\x7e]*$/.test(Buffer.from(secret, 'base64').toString('utf8'));

const amazonKey = new RegExp(
  String.raw`${edge}A(?:KI|SI|BI|CC)A[A-Z0-9]{16}(?![A-Za-z0-9])` +
    // The secret half often follows its id: `AKIA…,…` in a file of keys.
    String.raw`(?:([\s"',;:|\\]{1,8})([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=]))?`,
  'g',
);

const scrubAmazonKeys = (text: string): string =>
  text.replace(amazonKey, (_, between?: string, secret?: string) => {
    if (between === undefined || secret === undefined) return HIDDEN;
    return `${HIDDEN}${between}${/^[0-9a-f]+$/i.test(secret) ? secret : HIDDEN}`;
  });

const shapes: readonly Shape[] = [
  { marks: ['PRIVATE KEY', 'LS0tLS1CRUdJTi'], scrub: scrubPrivateKeys },
  token('sk-', String.raw`sk-(?:ant|proj|svcacct|admin|or)-[A-Za-z0-9_-]{12,}`),
  token('sk-', String.raw`${edge}sk-[A-Za-z0-9_-]{20,}`, hasRandomPart),
  token(
    'gho_ ghp_ ghu_ ghs_ ghr_ github_pat_',
    String.raw`gh[opusr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}`,
  ),
  token(
    'glpat- gldt- glrt- glptt- glft- glsoat- glagent- glcbt- glimt- gloas- glffct- glsbt-',
    String.raw`${edge}gl(?:pat|dt|rt|ptt|ft|soat|agent|cbt|imt|oas|ffct|sbt)-[A-Za-z0-9_.=-]{20,}`,
  ),
  token('xox xapp-', String.raw`${edge}(?:xox[a-z]|xapp-\d)-[A-Za-z0-9-]{10,}`),
  after('hooks.slack.com', /(hooks\.slack\.com\/(?:services|workflows|triggers)\/)([\w/+-]{20,})/g),
  token(
    'AIza ya29. GOCSPX-',
    String.raw`${edge}(?:AIza[A-Za-z0-9_-]{35}|(?:ya29\.|GOCSPX-)[A-Za-z0-9_-]{20,})`,
  ),
  token(
    'npm_ sk_live_ sk_test_ rk_live_ rk_test_ whsec_',
    String.raw`${edge}(?:npm_[A-Za-z0-9]{36}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,})`,
  ),
  token(
    'hf_ gsk_ hvs. dop_v1_ doo_v1_ dor_v1_',
    String.raw`${edge}(?:hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{40,}|hvs\.[\w-]{24,}|do[opr]_v1_[a-f0-9]{64})`,
  ),
  token(
    'pypi- AGE-SECRET-KEY SG.',
    String.raw`${edge}(?:pypi-[\w-]{50,}|AGE-SECRET-KEY-1[A-Z0-9]{50,}|SG\.[\w-]{16,64}\.[\w-]{16,})`,
  ),
  { marks: ['AKIA', 'ASIA', 'ABIA', 'ACCA'], scrub: scrubAmazonKeys },
  after(
    'aws_ AWS_ awsSec awsSes awssec awsses AwsS',
    /(aws_?(?:secret_?(?:access_?)?key|session_?token)[\s\\"']{0,16}[:=][\s\\"']{0,16})([A-Za-z0-9/+=]{40,})/gi,
  ),
  token('eyJ', String.raw`(?:(?<![\w-])|${escapes})eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*){1,3}`),
  after(
    anyCase('rization'),
    /(authorization[\\"']{0,16}\s{0,4}[:=]\s{0,4}[\\"']{0,16}(?:(?:bearer|basic|token|digest|negotiate|apikey)\s{1,4})?)([A-Za-z0-9._~+/=:-]{8,})/gi,
    (secret, before) => /[a-z]\s+$/i.test(before) || isRandom(secret),
  ),
  after(anyCase('earer'), /(bearer\s{1,4})([A-Za-z0-9._~+/=-]{16,})/gi, isRandom),
  after(anyCase('asic'), /(basic\s{1,4})([A-Za-z0-9+/_-]{8,}={0,2})/gi, isBasic),
  after(
    'x-api-key x-goog-api-key x-auth-token X-Api-Key X-API-Key X-API-KEY X-Goog-Api-Key X-Auth-Token PRIVATE-TOKEN private-token Private-Token _authToken',
    /((?:x-api-key|x-goog-api-key|x-auth-token|private-token|_authToken)[\\"']{0,16}\s{0,4}[:=]\s{0,4}[\\"']{0,16})([\w.~+/=-]{12,})/gi,
    isRandom,
  ),
  after(
    'ken= key= Key= ret= sig= ure=',
    /([?&](?:access_token|refresh_token|id_token|api_?key|client_secret|sig|x-amz-signature|x-amz-security-token)=)([^\s&"'\\#<>]{8,})/gi,
  ),
  after('://', /(:\/\/[^\s:/@"'\\<>]{0,256}:)([^\s/"'\\<>]+)(?=@)/g),
  after('://', /(:\/\/)([\w.~%+=-]{20,})(?=@)/g, isRandom),
];

/** What has to come somewhere after a mark that ordinary texts have as well. */
const afterMark: Readonly<Record<string, string>> = { '://': '@', eyJ: '.' };

/** Without one of them, and what has to come after it, a text has no shape of a secret. */
export const marks: readonly (readonly [mark: string, then: string])[] = shapes.flatMap((shape) =>
  shape.marks.map((mark) => [mark, afterMark[mark] ?? ''] as const),
);

export function scrubShapes(text: string): string {
  let scrubbed = text;
  for (const shape of shapes) {
    if (shape.marks.some((mark) => scrubbed.includes(mark))) scrubbed = shape.scrub(scrubbed);
  }
  return scrubbed;
}
