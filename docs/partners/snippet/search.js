/*
 * La recherche de preuves d'Opération Milliard sur votre site ; voir search.html.
 * Opération Milliard's evidence search on your site; see search.html.
 *
 * Jamais de clé ici : une page est lue par tout le monde. Never a key here: everybody reads a page.
 *
 * What documents say is put in as text alone, never as HTML; only http(s) addresses become links.
 * Nothing is asked of any address but `data-service`, no cookie is sent, nothing is kept.
 */
(() => {
  "use strict";

  // Longer than the service lets anybody wait, for a turn and then for an answer.
  const LONGEST_MS = 60_000;

  const WORDS = {
    fr: {
      locale: "fr-FR",
      waiting: "Recherche en cours…",
      answerTo: (question) => `Réponse à\u00a0: ${question}`,
      found: (count) => (count > 1 ? `${count} citations trouvées.` : "1 citation trouvée."),
      insufficient: "Les documents ne suffisent pas pour répondre.",
      nearest: "Les passages les plus proches, qui ne répondent pas\u00a0:",
      read: "Lire le passage",
      section: "section",
      version: (day) => `version du ${day}`,
      current: "version actuelle",
      replaced: "version remplacée depuis",
      undated: "sans date",
      also: (language) =>
        ({ fr: "Également", en: "Également en anglais" })[language] ?? `Également (${language})`,
      differs: "Les sources diffèrent, la plus récente d'abord\u00a0:",
      colon: "\u00a0: ",
      tooMany: "Trop de questions en peu de temps.",
      busy: "Le service est occupé ou arrêté.",
      failed: "La recherche n'a pas abouti.",
      unreachable: "Le service ne répond pas. Vérifiez votre connexion, puis réessayez.",
      retry: (wait, time) => `Réessayez dans ${wait}, à ${time}.`,
      later: "Réessayez plus tard.",
      seconds: (count) => (count > 1 ? `${count} secondes` : "une seconde"),
      minutes: (count) => `${count} minutes`,
      reference: (id) => `Référence à donner si vous le signalez\u00a0: ${id}`,
    },
    en: {
      locale: "en-GB",
      waiting: "Searching…",
      answerTo: (question) => `Answer to: ${question}`,
      found: (count) => (count > 1 ? `${count} quotes found.` : "1 quote found."),
      insufficient: "The documents do not suffice to answer.",
      nearest: "The nearest passages, which do not answer:",
      read: "Read the passage",
      section: "section",
      version: (day) => `version of ${day}`,
      current: "current version",
      replaced: "version replaced since",
      undated: "no date",
      also: (language) => ({ en: "Also", fr: "Also in French" })[language] ?? `Also (${language})`,
      differs: "The sources differ, the newest first:",
      colon: ": ",
      tooMany: "Too many questions in a short time.",
      busy: "The service is busy or stopped.",
      failed: "The search has failed.",
      unreachable: "The service does not answer. Check your connection, then try again.",
      retry: (wait, time) => `Try again in ${wait}, at ${time}.`,
      later: "Try again later.",
      seconds: (count) => (count > 1 ? `${count} seconds` : "one second"),
      minutes: (count) => `${count} minutes`,
      reference: (id) => `Reference to give if you report it: ${id}`,
    },
  };

  document.querySelectorAll(".om-search[data-service]").forEach(setUp);

  function setUp(box) {
    const form = box.querySelector("form");
    const input = form.querySelector("input");
    const service = box.dataset.service.trim().replace(/\/+$/, "");
    const words = box.closest("[lang]")?.lang.startsWith("en") ? WORDS.en : WORDS.fr;
    // It stands there before anything is said in it, so that screen readers say it.
    const status = make("p", { class: "om-status", role: "status" });
    const results = make("section", { class: "om-results", hidden: "" });
    let asking = null;
    box.append(status, results);
    input.addEventListener("input", cancel);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const question = input.value.trim();
      if (question) answer(question);
    });

    async function answer(question) {
      cancel();
      const mine = (asking = new AbortController());
      const timer = setTimeout(() => mine.abort(), LONGEST_MS);
      show(words.waiting);
      const [said, ...parts] = await outcome(words, service, question, mine.signal);
      clearTimeout(timer);
      if (mine !== asking) return; // the visitor has typed since
      asking = null;
      results.setAttribute("aria-label", words.answerTo(question));
      show(said, ...parts);
    }

    function cancel() {
      if (!asking) return;
      asking.abort();
      asking = null;
      show("");
    }

    function show(said, ...parts) {
      status.textContent = said;
      results.replaceChildren(...parts);
      results.hidden = !parts.length;
    }
  }

  /** What the status says, then what is shown below it. */
  async function outcome(words, service, question, signal) {
    let response;
    try {
      response = await fetch(`${service}/v1/answers`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ question }),
        credentials: "omit",
        signal,
      });
      if (!response.ok) return [refusal(words, response)];
      return answered(words, service, await response.json());
    } catch {
      return [response && !signal.aborted ? words.failed : words.unreachable];
    }
  }

  function refusal(words, { status, headers }) {
    if (status !== 429 && status !== 503) {
      const id = headers.get("X-Request-ID");
      return id ? `${words.failed} ${words.reference(id)}` : words.failed;
    }
    const said = status === 429 ? words.tooMany : words.busy;
    const seconds = Number(headers.get("Retry-After"));
    if (!(seconds > 0)) return `${said} ${words.later}`;
    const wait = seconds > 90 ? words.minutes(Math.ceil(seconds / 60)) : words.seconds(seconds);
    const time = new Date(Date.now() + seconds * 1000).toLocaleTimeString(words.locale);
    return `${said} ${words.retry(wait, time)}`;
  }

  function answered(words, service, { question, sentences, citations, differs, nearest }) {
    const asked = make("p", { class: "om-asked" }, words.answerTo(question));
    const source = (item) => sourceOf(words, service, item);
    if (!sentences.length) {
      return [words.insufficient, asked, ...passages(words, source, nearest)];
    }
    // The service sends no quote that it has not compared with its page; none is shown without.
    const verified = citations.filter((citation) => citation.verified);
    const those = (numbers) => verified.filter(({ number }) => numbers.includes(number));
    const quotes = sentences.map((sentence) => [
      ...those(sentence.citations).map((citation) => quoted(source, citation)),
      ...those(sentence.also).map((citation) => also(words, source, citation)),
    ]);
    const count = new Set(sentences.flatMap((sentence) => sentence.citations)).size;
    return [words.found(count), asked, list(quotes), ...difference(words, differs)];
  }

  function quoted(source, citation) {
    return make(
      "figure",
      {},
      make("blockquote", { lang: citation.language }, citation.quote),
      make("figcaption", {}, `[${citation.number}] `, ...source(citation)),
    );
  }

  function also(words, source, citation) {
    const where = `${words.also(citation.language)}${words.colon}[${citation.number}] `;
    return make("p", { class: "om-also" }, where, ...source(citation));
  }

  function difference(words, differs) {
    if (!differs.length) return [];
    const stated = differs.map(({ value, citation, date, current }) => [
      `${value} [${citation}] · ${date ? day(words, date) : words.undated} · `,
      current ? words.current : words.replaced,
    ]);
    return [make("p", {}, words.differs), list(stated)];
  }

  function passages(words, source, nearest) {
    if (!nearest.length) return [];
    const shown = nearest.map((hit) => [
      make("p", {}, ...source(hit)),
      make(
        "details",
        {},
        make("summary", {}, words.read),
        make("blockquote", { lang: hit.language }, hit.text),
      ),
    ]);
    return [make("p", {}, words.nearest), list(shown)];
  }

  /** Title, issuer, date and page, the title leading to the page. */
  function sourceOf(words, service, item) {
    const address = addressOf(service, item.url);
    const known = [
      item.issuer,
      item.published && day(words, item.published),
      item.version_date && words.version(day(words, item.version_date)),
      item.current === false && words.replaced,
      placeOf(words, item.spans[0]),
    ].filter(Boolean);
    const lang = item.language;
    const title = address
      ? make("a", { href: address, lang }, item.title)
      : make("span", { lang }, item.title);
    return [title, ...known.map((part) => ` · ${part}`)];
  }

  /** "p. 3 (iii)", or of a format without pages "section 4, Article 3". */
  function placeOf(words, { page, page_label: label, section }) {
    const where = page ? `p. ${page}` : `${words.section} ${section}`;
    if (!label || label === String(page)) return where;
    return page ? `${where} (${label})` : `${where}, ${label}`;
  }

  /** Where a page can be read; what is not known elsewhere is read in the service itself. */
  function addressOf(service, url) {
    try {
      const address = new URL(url.startsWith("/") ? service + url : url);
      return ["http:", "https:"].includes(address.protocol) ? address.href : null;
    } catch {
      return null;
    }
  }

  function day(words, date) {
    const format = new Intl.DateTimeFormat(words.locale, { dateStyle: "long", timeZone: "UTC" });
    return format.format(new Date(date));
  }

  function list(items) {
    return make("ul", {}, ...items.map((parts) => make("li", {}, ...parts)));
  }

  /** An element; children that are no elements are put in as text. */
  function make(name, attributes, ...children) {
    const made = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    made.append(...children);
    return made;
  }
})();
