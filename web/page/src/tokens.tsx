// The tokens of an answer, tinted by how sure the model was; a token's alternatives show on hover and on focus.
import type { JSX } from "preact";
import { useId, useRef, useState } from "preact/hooks";
import type { TokenInfo } from "./conversation";
import { percent } from "./parts";

const visible = (text: string): string => text.replaceAll(" ", "␣").replaceAll("\n", "⏎") || "∅";

// 0 for a sure token to 4 for a very unlikely one; style.css has a tint for each.
function doubt(logprob: number): number {
  const probability = Math.exp(logprob);
  return [0.9, 0.6, 0.3, 0.1].filter((limit) => probability < limit).length;
}

function Alternatives({ token, id }: { token: TokenInfo; id: string }): JSX.Element {
  const known = token.alternatives.some((other) => other.text === token.text && other.logprob === token.logprob);
  const rows = known ? token.alternatives : [...token.alternatives, token];
  return (
    <span class="alternatives" role="tooltip" id={id} dir="ltr">
      {rows.map((row, index) => (
        <span key={index} class={row.text === token.text ? "row chosen" : "row"}>
          <code>{visible(row.text)}</code>
          <meter min={0} max={1} value={Math.exp(row.logprob)} aria-hidden="true" />
          <span>{percent(Math.exp(row.logprob))}</span>
        </span>
      ))}
    </span>
  );
}

export function TokenView({ tokens }: { tokens: TokenInfo[] }): JSX.Element {
  const [at, setAt] = useState(-1); // the token whose alternatives show
  const [stop, setStop] = useState(0); // the one that Tab reaches; arrows go on from there
  const id = useId();
  const box = useRef<HTMLParagraphElement>(null);
  const move = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const target = stop + step;
    if (event.key === "Escape") setAt(-1);
    if (step === 0 || target < 0 || target >= tokens.length) return;
    event.preventDefault();
    setStop(target);
    box.current?.querySelectorAll<HTMLElement>(".token")[target]?.focus();
  };
  return (
    <p class="tokens" dir="auto" ref={box} role="group" aria-label="Tokens; arrow keys move" onKeyDown={move} onMouseLeave={() => setAt(-1)}>
      {tokens.map((token, index) => (
        <span class="token-place" key={index}>
          <button
            type="button"
            class={`token doubt-${doubt(token.logprob)}`}
            tabIndex={index === stop ? 0 : -1}
            aria-describedby={at === index ? id : undefined}
            onMouseEnter={() => setAt(index)}
            onFocus={() => {
              setAt(index);
              setStop(index);
            }}
            onBlur={() => setAt(-1)}
          >
            {token.text}
          </button>
          {token.text.includes("\n") && <br />}
          {at === index && <Alternatives token={token} id={id} />}
        </span>
      ))}
    </p>
  );
}
