// Arithmetic for the tool `calculator`: + - * / % ** and parentheses over decimal numbers, and a few functions.
// A grammar and no eval: what a model writes is never run as a program.

const FUNCTIONS: Record<string, (value: number) => number> = {
  abs: Math.abs,
  sqrt: Math.sqrt,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  ln: Math.log,
  log10: Math.log10,
  exp: Math.exp,
  floor: Math.floor,
  ceil: Math.ceil,
  round: Math.round,
};
const CONSTANTS: Record<string, number> = { pi: Math.PI, e: Math.E };
const MAX_LENGTH = 1000;
const MAX_DEPTH = 100;

class Reader {
  private at = 0;
  private depth = 0;
  constructor(private readonly tokens: string[]) {}

  whole(): number {
    const value = this.sum();
    if (this.at < this.tokens.length) throw new Error(`"${this.tokens[this.at]}" is not expected there`);
    return value;
  }

  private take(...wanted: string[]): string | undefined {
    const token = this.tokens[this.at];
    if (token === undefined || !wanted.includes(token)) return undefined;
    this.at += 1;
    return token;
  }

  private sum(): number {
    let value = this.product();
    for (let sign = this.take("+", "-"); sign; sign = this.take("+", "-")) {
      const other = this.product();
      value = sign === "+" ? value + other : value - other;
    }
    return value;
  }

  private product(): number {
    let value = this.signed();
    for (let sign = this.take("*", "/", "%"); sign; sign = this.take("*", "/", "%")) {
      const other = this.signed();
      if (sign !== "*" && other === 0) throw new Error("division by zero");
      value = sign === "*" ? value * other : sign === "/" ? value / other : value % other;
    }
    return value;
  }

  private signed(): number {
    if (++this.depth > MAX_DEPTH) throw new Error("it is nested too deep");
    const sign = this.take("+", "-");
    const value = sign ? this.signed() : this.power();
    this.depth -= 1;
    return sign === "-" ? -value : value;
  }

  private power(): number {
    const base = this.operand();
    return this.take("**", "^") ? base ** this.signed() : base;
  }

  private operand(): number {
    const token = this.tokens[this.at++];
    if (token === undefined) throw new Error("it ends too early");
    if (/^[0-9.]/.test(token)) return Number(token);
    if (token === "(") return this.closed();
    if (Object.hasOwn(CONSTANTS, token)) return CONSTANTS[token]!;
    if (Object.hasOwn(FUNCTIONS, token) && this.take("(")) return FUNCTIONS[token]!(this.closed());
    throw new Error(`"${token}" is not known`);
  }

  private closed(): number {
    const value = this.sum();
    if (!this.take(")")) throw new Error("a parenthesis is not closed");
    return value;
  }
}

// The value as text. Throws an Error that says what is wrong.
export function calculate(expression: string): string {
  if (expression.length > MAX_LENGTH) throw new Error(`it is longer than ${MAX_LENGTH} characters`);
  const plain = expression.replaceAll("×", "*").replaceAll("÷", "/").replaceAll("−", "-").replace(/(?<=\d),(?=\d{3})/g, "");
  const tokens = plain.match(/\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|\*\*|[a-z]+\d*|\S/gi) ?? [];
  const value = new Reader(tokens.map((token) => token.toLowerCase())).whole();
  if (!Number.isFinite(value)) throw new Error("the result is no finite number");
  return String(Number(value.toPrecision(15)));
}

export const calculatorTool = {
  type: "function",
  function: {
    name: "calculator",
    description: "Computes an arithmetic expression: + - * / % **, parentheses, sqrt, abs, sin, cos, ln, pi",
    parameters: {
      type: "object",
      properties: { expression: { type: "string", description: "for example (17 + 4) * 2" } },
      required: ["expression"],
      additionalProperties: false,
    },
  },
};

// What a call comes to, as the model is told: the value, or a sentence that begins with "error".
export function runCall(name: string, args: string): string {
  if (name !== "calculator") return `error: there is no tool "${name}" here`;
  let expression: unknown;
  try {
    expression = (JSON.parse(args) as { expression?: unknown }).expression;
  } catch {
    return "error: the arguments are no JSON";
  }
  if (typeof expression !== "string") return 'error: the argument "expression" is missing';
  try {
    return calculate(expression);
  } catch (error) {
    return `error: ${(error as Error).message}`;
  }
}
