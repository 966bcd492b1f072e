//! Rust sources as the checker of the floor plan sees them: tokens, and the paths among them.

/// A path as it stands in the source, and where.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) module: Vec<String>,
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    pub(crate) in_test: bool,
}

impl Reference {
    /// What it names, from the root of the crate; none if it names no module of the crate.
    pub(crate) fn target(&self) -> Option<Vec<String>> {
        let mut target = match self.segments.first()?.as_str() {
            "crate" => Vec::new(),
            "super" | "self" => self.module.clone(),
            _ => return None,
        };
        if self.segments.len() == 1 {
            return None; // a receiver, or the word in `pub(super)`
        }
        for segment in &self.segments {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => drop(target.pop()),
                name => target.push(name.to_owned()),
            }
        }
        Some(target)
    }
}

/// What a file says: its paths, and the modules that only tests have.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) paths: Vec<Reference>,
    pub(crate) tests: Vec<Vec<String>>,
}

pub(crate) fn read(file: &[String], text: &str) -> Read {
    let tokens = tokens(text);
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut read = Read::default();
    let mut module = file.to_vec();
    // The depth at which each inline module, and each item of a test, ends.
    let (mut depth, mut modules, mut test_until) = (0, Vec::new(), None);
    let mut test_next = false;
    let mut at = 0;
    while at < tokens.len() {
        let line = tokens[at].line;
        let in_test = test_next || test_until.is_some();
        match word(at) {
            "#" => {
                let inner = word(at + 1) == "!";
                let start = at + 2 + usize::from(inner);
                let end = closing(&tokens, start - 1);
                let inside: Vec<&str> = (start..end).map(word).collect();
                if inside.first() == Some(&"cfg")
                    // Neither is ever in anybody's program.
                    && (inside.contains(&"test") || inside.contains(&"fuzzing"))
                    && !inside.contains(&"not")
                {
                    if inner {
                        read.tests.push(module.clone());
                    } else {
                        test_next = true;
                    }
                }
                at = end;
            }
            "mod" if word(at + 2) == "{" => {
                module.push(word(at + 1).to_owned());
                modules.push(depth);
                at += 1;
            }
            "mod" if word(at + 2) == ";" && test_next => {
                read.tests
                    .push([&module[..], &[word(at + 1).to_owned()]].concat());
            }
            "{" => {
                if std::mem::take(&mut test_next) && test_until.is_none() {
                    test_until = Some(depth);
                }
                depth += 1;
            }
            "}" => {
                depth -= 1;
                if test_until == Some(depth) {
                    test_until = None;
                }
                if modules.last() == Some(&depth) {
                    modules.pop();
                    module.pop();
                }
            }
            ";" if test_until.is_none() => test_next = false,
            "use" if word(at + 1) != "<" => {
                let mut found = Vec::new();
                at = use_tree(&tokens, at + 1, &[], &mut found);
                read.paths
                    .extend(found.into_iter().map(|(segments, line)| Reference {
                        module: module.clone(),
                        segments,
                        line,
                        in_test,
                    }));
                test_next = false;
            }
            text if is_name(text) => {
                let mut segments = vec![text.to_owned()];
                while word(at + 1) == "::" && is_name(word(at + 2)) {
                    segments.push(word(at + 2).to_owned());
                    at += 2;
                }
                read.paths.push(Reference {
                    module: module.clone(),
                    segments,
                    line,
                    in_test,
                });
            }
            _ => {}
        }
        at += 1;
    }
    read
}

/// Spreads a `use` tree into its paths; returns where it ends.
fn use_tree(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let mut segments = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => {
                let end = closing(tokens, at);
                at += 1;
                while at < end {
                    at = use_tree(tokens, at, &segments, found) + 1;
                }
                return end;
            }
            "," | ";" | "}" => break,
            "as" => at += 1,
            "::" => {}
            name => {
                segments.push(name.to_owned());
            }
        }
        at += 1;
    }
    let line = tokens.get(at.saturating_sub(1)).map_or(0, |t| t.line);
    if segments.len() > prefix.len() {
        found.push((segments, line));
    }
    at
}

/// Where the bracket at `at` closes.
fn closing(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "{" | "[" | "(" => depth += 1,
            "}" | "]" | ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

#[derive(Debug)]
struct Token {
    text: String,
    line: usize,
}

/// Names, `::` and single marks. Comments, numbers, strings, characters and lifetimes are no
/// tokens.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let is = |at: usize, mark: char| chars.get(at) == Some(&mark);
    let (mut tokens, mut at) = (Vec::new(), 0);
    let (mut line, mut counted) = (1, 0);
    while let Some(&first) = chars.get(at) {
        let start = at;
        line += chars[counted..at].iter().filter(|c| **c == '\n').count();
        counted = at;
        at += 1;
        if first == '/' && is(at, '/') {
            while at < chars.len() && !is(at, '\n') {
                at += 1;
            }
        } else if first == '/' && is(at, '*') {
            let mut depth = 1;
            at += 1;
            while depth > 0 && at < chars.len() {
                match (chars[at], chars.get(at + 1)) {
                    ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
                    ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
                    _ => at += 1,
                }
            }
        } else if first == '"' {
            at = after_string(&chars, at);
        } else if first == '\'' {
            // 'x' and '\n' are characters, 'x without an end is a lifetime.
            if is(at, '\\') {
                at += 2;
                while at < chars.len() && !is(at, '\'') {
                    at += 1;
                }
                at += 1;
            } else if is(at + 1, '\'') {
                at += 2;
            } else {
                while chars
                    .get(at)
                    .is_some_and(|c| c.is_alphanumeric() || *c == '_')
                {
                    at += 1;
                }
            }
        } else if first.is_alphanumeric() || first == '_' {
            while chars
                .get(at)
                .is_some_and(|c| c.is_alphanumeric() || *c == '_')
            {
                at += 1;
            }
            let text: String = chars[start..at].iter().collect();
            let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
            if matches!(text.as_str(), "r" | "br" | "cr") && is(at + hashes, '"') {
                at = after_raw_string(&chars, at + hashes + 1, hashes);
            } else if !first.is_numeric() {
                tokens.push(Token { text, line });
            }
        } else if first == ':' && is(at, ':') {
            at += 1;
            let text = "::".to_owned();
            tokens.push(Token { text, line });
        } else if !first.is_whitespace() {
            let text = first.to_string();
            tokens.push(Token { text, line });
        }
    }
    tokens
}

fn after_string(chars: &[char], mut at: usize) -> usize {
    while let Some(mark) = chars.get(at) {
        match mark {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

fn after_raw_string(chars: &[char], mut at: usize, hashes: usize) -> usize {
    while at < chars.len() {
        let end = chars[at..].iter().skip(1).take(hashes);
        if chars[at] == '"' && end.filter(|c| **c == '#').count() == hashes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    at
}
