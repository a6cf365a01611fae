// Every sentence of the page, in English and Arabic. Digits stay Latin in both: they stand beside code and units.
const TEXTS = {
  en: {
    skip: "Skip to the figures", lab: "lab", theme: "Theme", signOut: "Sign out", signIn: "Sign in",
    signInHow: "Open the address that mobisdk serve shows, or type its one-time code.", code: "One-time code",
    title: "The bench in the lab", device: "Device", platform: "System", network: "Network", recipe: "Recipe", mode: "Mode",
    reset: "Reset", download: "Download", all: "all",
    empty: "No run has come yet. Scan the QR code with MobiBench, or run mobisdk simulate-phones.",
    latencyTitle: "Latency by device and network", latencyNote: "Median inference, with its 95 % interval; cold starts: loading.",
    paretoTitle: "What fits the budget", budget: "Budget",
    paretoAccuracy: "Accuracy against median latency. The line is the front: nothing is both faster and more accurate.",
    paretoMacs: "Multiply-adds against median latency, while no accuracy is known (mobisdk serve --accuracy). The line is the front: nothing does more in less time.",
    accuracyAxis: "accuracy, %", macsAxis: "million multiply-adds", msAxis: "median, ms",
    fits: (name, ms, value) => `Within the budget: ${name}, ${ms} ms, ${value}.`, fitsNothing: "Nothing fits this budget.",
    macs: (value) => `${value} million multiply-adds`,
    timelineTitle: "Sustained: what is left when the phone is warm",
    timelineNote: "Median of each group's latest sustained runs, over the time since they began.", secondsAxis: "seconds since the first sample",
    noTimeline: "No sustained run matches.", noFigures: "Nothing matches these filters.",
    arrivalsTitle: "Arriving", phonesTitle: "Phones", troubleTitle: "Kept apart and set aside",
    troubleNote: "Runs that the figures leave out, lines that were no runs, and bundles that are not offered, each with its reason.",
    accessTitle: "Access", addPhone: "Add a phone", qrHow: "Scan this with MobiBench. It is good once, for 15 minutes.", qrAlt: "QR code of the link",
    runs: "runs", phones: "phones", variants: "networks", setAside: "lines set aside", runtime: "Runtime", threads: "Threads",
    p50: "p50, ms", p90: "p90, ms", p99: "p99, ms", when: "When", median: "Median, ms", flags: "Flags", last: "Last run",
    goldenFailed: "golden failed", throttled: "throttled", emulator: "emulator", what: "What", where: "Where", reason: "Reason", count: "Count",
    keptApart: "runs kept apart", lineOf: (line) => `line ${line}`, bundle: "bundle", name: "Name", kind: "Kind", rights: "Rights", revoke: "Revoke",
    revokeNamed: (name) => `Revoke ${name}`, own: "this page", live: "Live", lost: "Connection lost; trying again", noTrouble: "Nothing.",
    cold: "cold", burst: "burst", sustained: "sustained", production: "production", phone: "phone", page: "page", program: "program",
    read: "read", write: "write", manage: "manage",
  },
  ar: {
    skip: "تخطَّ إلى الأرقام", lab: "المختبر", theme: "المظهر", signOut: "تسجيل الخروج", signIn: "تسجيل الدخول",
    signInHow: "افتح العنوان الذي يعرضه mobisdk serve، أو اكتب رمزه الذي يُستعمل مرة واحدة.", code: "رمز لمرة واحدة",
    title: "منضدة القياس في المختبر", device: "الجهاز", platform: "النظام", network: "الشبكة", recipe: "الوصفة", mode: "الوضع",
    reset: "إعادة ضبط", download: "تنزيل", all: "الكل",
    empty: "لم يصل أي قياس بعد. امسح رمز QR بتطبيق MobiBench، أو شغّل mobisdk simulate-phones.",
    latencyTitle: "زمن الاستجابة لكل جهاز وشبكة", latencyNote: "وسيط زمن الاستدلال مع مجال ثقته 95 %؛ وللبدء البارد: زمن التحميل.",
    paretoTitle: "ما يناسب الميزانية", budget: "الميزانية",
    paretoAccuracy: "الدقة مقابل وسيط الزمن. الخط هو الجبهة: لا شيء أسرع منها وأدق معًا.",
    paretoMacs: "عمليات الضرب والجمع مقابل وسيط الزمن ما دامت الدقة مجهولة (mobisdk serve --accuracy). الخط هو الجبهة: لا شيء ينجز أكثر في زمن أقل.",
    accuracyAxis: "الدقة، %", macsAxis: "مليون عملية ضرب وجمع", msAxis: "الوسيط، ms",
    fits: (name, ms, value) => `ضمن الميزانية: \u2068${name}\u2069، \u2068${ms} ms\u2069، \u2068${value}\u2069.`, fitsNothing: "لا شيء يناسب هذه الميزانية.",
    macs: (value) => `${value} مليون عملية ضرب وجمع`,
    timelineTitle: "القياس المستمر: ما يبقى حين يسخن الهاتف",
    timelineNote: "وسيط أحدث القياسات المستمرة لكل مجموعة، عبر الزمن منذ بدايتها.", secondsAxis: "ثوانٍ منذ أول عينة",
    noTimeline: "لا يوجد قياس مستمر مطابق.", noFigures: "لا شيء يطابق هذه المرشحات.",
    arrivalsTitle: "يصل الآن", phonesTitle: "الهواتف", troubleTitle: "ما استُبعد وما نُحّي جانبًا",
    troubleNote: "قياسات لا تدخل في الأرقام، وأسطر ليست قياسات، وحزم لا تُعرض، ولكل منها سببه.",
    accessTitle: "الوصول", addPhone: "إضافة هاتف", qrHow: "امسحه بتطبيق MobiBench. صالح مرة واحدة ولمدة 15 دقيقة.", qrAlt: "رمز QR للرابط",
    runs: "قياسات", phones: "هواتف", variants: "شبكات", setAside: "أسطر منحّاة", runtime: "المشغّل", threads: "الخيوط",
    p50: "p50, ms", p90: "p90, ms", p99: "p99, ms", when: "متى", median: "الوسيط، ms", flags: "علامات", last: "آخر قياس",
    goldenFailed: "فشل المرجع", throttled: "أبطأته الحرارة", emulator: "محاكٍ", what: "ماذا", where: "أين", reason: "السبب", count: "العدد",
    keptApart: "قياسات مستبعدة", lineOf: (line) => `السطر ${line}`, bundle: "حزمة", name: "الاسم", kind: "النوع", rights: "الحقوق", revoke: "إبطال",
    revokeNamed: (name) => `إبطال ${name}`, own: "هذه الصفحة", live: "مباشر", lost: "انقطع الاتصال؛ تجري المحاولة مجددًا", noTrouble: "لا شيء.",
    cold: "بارد", burst: "دفعة", sustained: "مستمر", production: "إنتاج", phone: "هاتف", page: "صفحة", program: "برنامج",
    read: "قراءة", write: "كتابة", manage: "إدارة",
  },
};

let language = "en";

export function useLanguage(wanted) {
  language = wanted in TEXTS ? wanted : "en";
  document.documentElement.lang = language;
  document.documentElement.dir = language === "ar" ? "rtl" : "ltr";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  return language;
}

/** The text of a key; a name that has none, such as one that a phone made up, stays as it is. */
export function text(key) {
  return TEXTS[language][key] ?? key;
}

const locale = () => (language === "ar" ? "ar-u-nu-latn" : "en");

export function formatCount(value) {
  return new Intl.NumberFormat(locale()).format(value);
}

/** Milliseconds with three significant digits, or four above 100. */
export function formatMs(value) {
  return new Intl.NumberFormat("en", { maximumSignificantDigits: value >= 100 ? 4 : 3, useGrouping: false }).format(value);
}

export function formatClock(milliseconds) {
  return new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }).format(milliseconds);
}

export function formatTime(milliseconds) {
  const format = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  return new Intl.DateTimeFormat(locale(), format).format(milliseconds);
}
