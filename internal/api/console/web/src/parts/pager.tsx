import { useState } from "preact/hooks";

/** A page of a list whose pages are reached one after the other. Tokens are those of the pages up to this one; the first has none. */
export interface Paging { tokens: (string | undefined)[]; token: string | undefined; next: (token: string) => void; back: () => void; first: () => void }

export function usePaging(): Paging {
  const [tokens, setTokens] = useState<(string | undefined)[]>([undefined]);
  return {
    tokens,
    token: tokens[tokens.length - 1],
    next: (token) => setTokens([...tokens, token]),
    back: () => setTokens(tokens.slice(0, -1)),
    first: () => setTokens([undefined]),
  };
}

export function Pager({ paging, next, busy, what }: { paging: Paging; next: string | undefined; busy: boolean; what: string }) {
  const page = paging.tokens.length;
  if (page === 1 && !next) return null;
  return (
    <nav class="pager" aria-label={"Pages of " + what}>
      <button type="button" disabled={page === 1 || busy} onClick={paging.first}>First</button>
      <button type="button" disabled={page === 1 || busy} onClick={paging.back}>Previous</button>
      <span aria-live="polite">Page {page}</span>
      <button type="button" disabled={!next || busy} onClick={() => paging.next(next!)}>Next</button>
    </nav>
  );
}
