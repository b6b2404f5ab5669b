// Made-up edits, and the demo's views over them, computed anew at every tick.

const WIKIS = `en English Germanic 34;vi Vietnamese Austroasiatic 14;de German Germanic 8;fr French Romance 7;ru Russian Slavic 6;
it Italian Romance 5;es Spanish Romance 5;ja Japanese Japonic 4;pl Polish Slavic 3;zh Chinese Sinitic 3;pt Portuguese Romance 3;
nl Dutch Germanic 2;uz Uzbek Turkic 2;ko Korean Koreanic 2;ar Arabic Semitic 2;uk Ukrainian Slavic 2;ca Catalan Romance 2;
sv Swedish Germanic 1;fa Persian Iranian 1;tr Turkish Turkic 1;cs Czech Slavic 1;hu Hungarian Uralic 1;fi Finnish Uralic 1;
he Hebrew Semitic 1;el Greek Hellenic 1;hy Armenian Armenian 1;eu Basque Isolate 0.6;ro Romanian Romance 0.5;sr Serbian Slavic 0.5;
id Indonesian Austronesian 0.4;ms Malay Austronesian 0.4;hi Hindi Indo-Aryan 0.3;ce Chechen Nakh 0.3;eo Esperanto Constructed 0.3;
da Danish Germanic 0.3;et Estonian Uralic 0.2;gl Galician Romance 0.2;kk Kazakh Turkic 0.2;la Latin Italic 0.1;lt Lithuanian Baltic 0.1`
  .split(/;\s*/)
  .map((line) => line.split(" "))
  .map(([wiki, language, family, weight]) => ({ wiki, language, family, weight: Number(weight) }));
const PAGES = [
  "Jeremy Corbyn", "2015 Mina stampede", "User talk:Dudeperson176123", "Wikipedia:Vandalismusmeldung", "Peremptory norm", "Alexis Tsipras",
  "Apamea abruzzorum", "Flüchtlingskrise in Europa 2015", "Serena Williams", "日本の降水量一覧", "Википедия:К удалению/12 сентября 2015",
  "Roberta Vinci", "Flavia Pennetta", "2015 US Open – Women's Singles", "Masjid al-Haram crane collapse", "<b>Markup</b> & \"quotes\"",
  "Liste der Biografien/Ci", "Rallicula", "Campeonato Brasileiro", "A page with a title so long that no panel on any phone has the room to show all of it",
];
const USERS = ["Preferwiki", "ThitxongkhoiAWB", "Cheers!-bot", "PereBot", "GELongstreet", "Ss112", "WP 1.0 bot", "InternetArchiveBot", "Ser Amantio di Nicolao",
  "Lsjbot", "ИнкубаторБот", "Cyberbot II", "Materialscientist", "ClueBot NG", "TuanminhBot", "Gerakibot", "BD2412", "Addbot", "Kolbertbot", "<script>alert(1)</script>"];
const WINDOW_MINUTES = 90;
const HOT_MS = 600_000;
const minute = (ms) => new Date(ms - (ms % 60_000)).toISOString().slice(0, 19).replace("T", " ");
const bump = (map, key, by = 1) => map.set(key, (map.get(key) ?? 0) + by);

export class FakeWikipedia {
  edits = 0;
  bytes = 0;
  users = new Map();
  languages = new Map();
  minutes = new Map();
  recent = [];
  seed = 12;

  constructor(now = Date.now()) {
    for (let ago = WINDOW_MINUTES; ago > 0; ago -= 1) {
      const busy = 200 + 90 * Math.sin(ago / 9) + 60 * Math.sin(ago / 2.3) + this.next() * 70;
      this.edit(Math.round(busy), now - ago * 60_000);
    }
    for (let n = 0; n < 10_000; n += 1) bump(this.users, `User ${n}`, 1 + Math.floor(this.next() ** 8 * 20));
  }
  next() {
    this.seed = (this.seed * 1103515245 + 12345) % 2147483648;
    return this.seed / 2147483648;
  }
  pick(list, skew = 1) {
    return list[Math.floor(this.next() ** skew * list.length)];
  }
  edit(count, now = Date.now()) {
    for (let n = 0; n < count; n += 1) {
      let at = this.next() * WIKIS.reduce((sum, { weight }) => sum + weight, 0);
      const wiki = WIKIS.find(({ weight }) => (at -= weight) < 0) ?? WIKIS[0];
      const user = this.next() < 0.3 ? this.pick(USERS, 1.6) : `User ${Math.floor(this.next() * 10_000)}`;
      const bytes = Math.round((this.next() - 0.3) * 900);
      this.edits += 1;
      this.bytes += bytes;
      bump(this.users, user);
      const entry = this.languages.get(wiki) ?? { edits: 0, bytes: 0 };
      this.languages.set(wiki, { edits: entry.edits + 1, bytes: entry.bytes + bytes });
      bump(this.minutes, minute(now));
      const page = this.pick(PAGES, 1.4);
      this.recent.push({ at: now, page, wiki: WIKIS[PAGES.indexOf(page)].wiki, user });
    }
    this.recent = this.recent.filter(({ at }) => at > now - HOT_MS).slice(-3000);
    const oldest = minute(now - WINDOW_MINUTES * 60_000);
    for (const key of this.minutes.keys()) if (key < oldest) this.minutes.delete(key);
  }
  hotPages() {
    const pages = new Map();
    for (const { page, wiki, user } of this.recent.slice(-400)) {
      const entry = pages.get(page) ?? { wiki, users: new Set(), edits: 0 };
      entry.users.add(user);
      entry.edits += 1;
      pages.set(page, entry);
    }
    return [...pages].filter(([, { users }]) => users.size > 5).map(([page, { wiki, users, edits }]) => ({ page, wiki, editors: users.size, edits }));
  }
  views() {
    const rows = (list) => list.map((row) => JSON.stringify(row));
    const users = () => [...this.users].map(([user, count]) => ({ user, count }));
    const big = ["text", "bigint"];
    const columns = (names, types) => names.split(" ").map((name, at) => ({ name, type: types[at] ?? "bigint" }));
    return [
      ["counter", columns("edits bytes editors", ["bigint"]), () => rows([{ edits: this.edits, bytes: this.bytes, editors: this.users.size }])],
      ["top10", columns("user count", big), () => rows(users().sort((a, b) => b.count - a.count || (a.user < b.user ? -1 : 1)).slice(0, 10))],
      ["edits_by_language", columns("language family edits bytes", ["text", "text"]), () =>
        rows([...this.languages].map(([{ language, family }, { edits, bytes }]) => ({ language, family, edits, bytes })))],
      ["edits_per_minute", columns("minute edits", ["timestamp"]), () => rows([...this.minutes].map(([minute, edits]) => ({ minute, edits })))],
      ["hot_pages", columns("page wiki editors edits", ["text", "text"]), () => rows(this.hotPages())],
      ["user_edits", columns("user count", big), () => rows(users())],
      ["mz_views", columns("id oid schema_id name", ["text"]), () =>
        rows(["counter", "top10", "hot_pages"].map((name, at) => ({ id: `u${at + 1}`, oid: 20_000 + at, schema_id: 3, name })))],
      ["mz_frontiers", columns("object_id time", big), () => rows([1, 2, 3, 4, 5, 6].map((at) => ({ object_id: `u${at}`, time: Date.now() - at * 7 })))],
    ];
  }
}
