//! The codes of languages (ISO 639-1) and countries (ISO 3166-1) that networks use in host names
//! and paths.

/// ISO 639-1.
const LANGUAGES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy \
    da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii \
    ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr \
    ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl \
    sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh \
    zu";

/// ISO 3166-1 alpha-2, with `uk`, which hosts use for Great Britain, and `xk` for Kosovo.
const COUNTRIES: &str = "ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br \
    bs bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es et \
    fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq \
    ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml \
    mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps \
    pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st sv sx sy sz tc td tf tg th tj tk tl \
    tm tn to tr tt tv tw tz ua ug uk um us uy uz va vc ve vg vi vn vu wf ws xk ye yt za zm zw";

fn is_in(codes: &str, code: &str) -> bool {
    code.len() == 2 && codes.split(' ').any(|known| known.eq_ignore_ascii_case(code))
}

/// Whether `code` is a language, such as `de`.
pub(super) fn is_language(code: &str) -> bool {
    is_in(LANGUAGES, code)
}

/// Whether `code` is a country, such as `at`.
pub(super) fn is_country(code: &str) -> bool {
    is_in(COUNTRIES, code)
}

/// Whether `code` is a language in a country, such as `de-at` or `de_AT`.
pub(super) fn is_locale(code: &str) -> bool {
    code.split_once(['-', '_'])
        .is_some_and(|(language, country)| is_language(language) && is_country(country))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_complete_and_sorted() {
        for (codes, many) in [(LANGUAGES, 184), (COUNTRIES, 251)] {
            let codes: Vec<&str> = codes.split(' ').collect();
            assert_eq!(codes.len(), many);
            assert!(codes.iter().all(|code| code.len() == 2));
            assert!(codes.is_sorted_by(|one, next| one < next));
        }
    }

    #[test]
    fn products_are_no_languages() {
        for label in ["ai", "tv", "ir", "go", "on"] {
            assert!(!is_language(label), "{label}");
        }
        assert!(is_language("de") && is_country("uk") && is_locale("de-at") && is_locale("pt_BR"));
        assert!(!is_locale("de-de-de") && !is_locale("ana-lo") && !is_locale("de"));
    }
}
