// The search: sections of all pages, in the browser. The sections are loaded when the search is used for the first time.

(() => {
  const home = document.currentScript.dataset.home;
  const input = document.getElementById('search');
  const list = document.getElementById('found');
  const status = document.getElementById('found-status');
  const MOST = 10;
  const EXCERPT = 140;
  let searching;

  /** @returns {Promise<(words: string) => readonly object[]>} */
  function searched() {
    searching ??= sections().then((all) => {
      const index = new MiniSearch({
        fields: ['heading', 'page', 'text'],
        storeFields: ['heading', 'page', 'url', 'text'],
        searchOptions: { boost: { heading: 4, page: 2 }, prefix: true, fuzzy: 0.15, combineWith: 'AND' },
      });
      index.addAll(all.map((section, id) => ({ ...section, id })));
      return (words) => index.search(words).slice(0, MOST);
    });
    return searching;
  }

  function sections() {
    return new Promise((resolve, reject) => {
      const script = document.createElement('script');
      script.src = `${home}assets/search-sections.js`;
      script.addEventListener('load', () => resolve(globalThis.berthSections));
      script.addEventListener('error', () => reject(new Error('The search could not be loaded.')));
      document.head.append(script);
    });
  }

  async function show() {
    const words = input.value.trim();
    if (words === '') return close();
    let found;
    try {
      found = (await searched())(words);
    } catch ({ message }) {
      searching = undefined;
      status.textContent = message;
      return;
    }
    if (input.value.trim() !== words) return;
    list.replaceChildren(...found.map(itemOf));
    list.hidden = found.length === 0;
    status.textContent =
      found.length === 0 ? 'No section has these words.' : `${found.length} sections, the best first.`;
  }

  function itemOf({ heading, page, url, text, terms }) {
    const link = document.createElement('a');
    link.className = 'result';
    link.href = home + url;
    const where = heading === page ? page : `${page} › ${heading}`;
    link.append(element('strong', where), element('span', excerptOf(text, terms)));
    const item = document.createElement('li');
    item.append(link);
    return item;
  }

  function element(name, text) {
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  }

  function excerptOf(text, terms) {
    const lower = text.toLowerCase();
    const places = terms.map((term) => lower.indexOf(term)).filter((place) => place >= 0);
    const start = Math.max(0, Math.min(...places, text.length) - EXCERPT / 3);
    const from = places.length === 0 || start < EXCERPT / 3 ? 0 : text.indexOf(' ', start) + 1;
    return `${from > 0 ? '… ' : ''}${text.slice(from, from + EXCERPT)}${text.length > from + EXCERPT ? ' …' : ''}`;
  }

  /** Moves the focus by the given number of places; before the first result is the field. */
  function move(by) {
    const places = [input, ...list.querySelectorAll('a')];
    places[Math.max(0, Math.min(places.length - 1, places.indexOf(document.activeElement) + by))].focus();
  }

  function close() {
    list.hidden = true;
    list.replaceChildren();
    status.textContent = '';
  }

  input.addEventListener('focus', () => void searched().catch(() => (searching = undefined)));
  input.addEventListener('input', () => void show());
  input.parentElement.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') move(1);
    else if (event.key === 'ArrowUp') move(-1);
    else if (event.key === 'Enter' && event.target === input) list.querySelector('a')?.click();
    else if (event.key === 'Escape') {
      input.focus();
      close();
    } else return;
    event.preventDefault();
  });
  list.addEventListener('click', () => setTimeout(close));
  document.addEventListener('click', ({ target }) => {
    if (!target.closest('.search')) close();
  });
  document.addEventListener('keydown', (event) => {
    const isTyping = /^(?:INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    input.focus();
  });
})();
