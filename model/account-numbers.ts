/** Lengths of the IBANs of each country (ISO 13616 registry, and countries that use the form without being in it). */
const IBAN_LENGTHS = lengths(`
  AD24 AE23 AL28 AO25 AT20 AZ28 BA20 BE16 BF28 BG22 BH22 BI27 BJ28 BR29 BY28 CF27 CG27 CH21 CI28 CM27 CR22 CV25 CY28 CZ24
  DE22 DJ27 DK18 DO28 DZ26 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GA27 GB22 GE22 GI23 GL18 GQ27 GR27 GT28 GW25 HN28 HR21 HU28
  IE22 IL23 IQ23 IR26 IS26 IT27 JO30 KM27 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MA28 MC27 MD24 ME22 MG27 MK19 ML28
  MN20 MR27 MT31 MU30 MZ25 NE28 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24
  SM27 SN28 SO23 ST25 SV28 TD27 TG28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30`);

function lengths(table: string): Map<string, number> {
  return new Map(
    [...table.matchAll(/([A-Z]{2})(\d\d)/g)].map(([, country = '', length]) => [country, Number(length)]),
  );
}

/** Is it an IBAN by its country's length and its check digits (ISO 13616, mod 97)? Blanks and dashes do not matter. */
export function isIban(text: string): boolean {
  const iban = text.replace(/[ -]/g, '').toUpperCase();
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]+$/.test(iban) || iban.length !== IBAN_LENGTHS.get(iban.slice(0, 2)))
    return false;
  const digits = (iban.slice(4) + iban.slice(0, 4)).replace(/[A-Z]/g, (letter) =>
    String(letter.charCodeAt(0) - 55),
  );
  let rest = 0;
  for (const digit of digits) rest = (rest * 10 + Number(digit)) % 97;
  return rest === 1;
}

/** The issuers' first digits and the lengths of their cards (ISO/IEC 7812). */
const CARDS =
  /^(4(\d{12}|\d{15}|\d{18})|(5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(0[0-5]|[689]\d)\d{11}|35\d{14}|6\d{15,18}|5[06-8]\d{11,17})$/;

/** Is it a payment card's number by its issuer's form and its check digit (Luhn)? Blanks and dashes do not matter. */
export function isCard(text: string): boolean {
  const digits = text.replace(/[ -]/g, '');
  if (!CARDS.test(digits)) return false;
  const sum = [...digits].reverse().reduce((total, digit, at) => {
    const twice = Number(digit) * (at % 2 === 1 ? 2 : 1);
    return total + (twice > 9 ? twice - 9 : twice);
  }, 0);
  return sum % 10 === 0;
}
