/** What must never be: a mission that is lost, something that counts twice, something that does not end, or a lie. */
export type Kind = 'lost' | 'duplicated' | 'stuck' | 'wrong';

/** What was found. */
export interface Finding {
  readonly kind: Kind;
  readonly mission: string;
  readonly what: string;
}

/** Collects them, tells of each at once, and of the same one only once. */
export class Violations {
  readonly all: Finding[] = [];
  /** Records outside transactions that are there again, byte for byte: allowed, as they have no effect. */
  repeated = 0;
  private readonly known = new Set<string>();
  private readonly tell: (violation: Finding) => void;

  constructor(tell: (violation: Finding) => void) {
    this.tell = tell;
  }

  add(kind: Kind, mission: string, what: string): void {
    const name = `${kind} ${mission} ${what}`;
    if (this.known.has(name)) return;
    this.known.add(name);
    const violation = { kind, mission, what };
    this.all.push(violation);
    this.tell(violation);
  }

  count(kind: Kind, from = 0): number {
    return this.all.slice(from).filter((each) => each.kind === kind).length;
  }
}
